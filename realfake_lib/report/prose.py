"""Fill the metric references in Markdown: ``{{ training.compact_cnn.test.accuracy | pct }}``.

Numbers reach the text through ``metrics.json`` and ``published.yml`` only. A run need not have them
all: weights, generators or trainings may be missing, and a stage may have failed. So the page
leaves out the sentence, list item or table row that quotes what is not there (see
:mod:`realfake_lib.report.leave_out`). Where prose is checked instead, it is an error that says
which notebook, which cell and which name.

Values pass through Markdown in disguise (:func:`disguise`), so that nothing in a value, a file name
with underscores, say, is taken for markup, whether it stands in a sentence, a table or a code span.
"""

import difflib
import functools
import html
import math
import operator
import re

import jinja2
import jinja2.meta
import jinja2.nodes
import jinja2.sandbox
from markupsafe import Markup

from realfake_lib.errors import UserError
from realfake_lib.report import leave_out
from realfake_lib.report.published import published

VARIABLES = ("data", "profile", "provenance", "published")
"""Top-level names in Markdown beside the stages."""

FUNCTIONS = ("fig", "table", "chapter", "stage_has", "tile")
"""Functions in Markdown; see :class:`Prose`."""

NBSP = "\u00a0"
MINUS = "\u2212"


# --- names ---------------------------------------------------------------------------------------


class Missing(jinja2.UndefinedError):
    """A text quotes what this run does not have.

    Parameters
    ----------
    name : str
    message : str, optional
        What is missing of ``name``, where it is not the whole.
    """

    def __init__(self, name, message=None):
        super().__init__(message or name)
        self.name, self.told = name, message


class Reference:
    """A dotted name under which a value, longer names, or both are known.

    Has no public attribute of its own, because any word may be part of a metric's name.
    ``.n``, ``.seed``, ``.unit``, ``.low`` and ``.high`` give a metric's particulars unless a longer
    metric name claims the word.
    """

    __slots__ = ("_path", "_records")

    def __init__(self, path, records):
        self._path = path
        self._records = records

    def __getattr__(self, word):
        try:
            return self[word]
        except KeyError:
            raise AttributeError(word) from None

    def __getitem__(self, word):
        record = self._records.get(self._path)
        if isinstance(word, int) and record and isinstance(record["value"], (list, tuple)):
            return record["value"][word]
        path = f"{self._path}.{word}"
        if _known(path, self._records):
            return Reference(path, self._records)
        if record and word in ("n", "seed", "unit") and record.get(word) is not None:
            return record[word]
        if record and word in ("low", "high") and record.get("ci"):
            return record["ci"][word == "high"]
        raise KeyError(word)

    def __iter__(self):
        record = self._records.get(self._path)
        if record is not None:
            return iter(record["value"])
        start = self._path + "."
        longer = [name[len(start) :] for name in self._records if name.startswith(start)]
        return iter(dict.fromkeys(name.split(".")[0] for name in longer))

    def __len__(self):
        return len(list(iter(self)))

    def __bool__(self):
        record = self._records.get(self._path)
        return True if record is None else bool(record["value"])

    def __str__(self):
        return _plain(_value(self))

    def __hash__(self):
        return hash(_value(self))

    def __float__(self):
        return float(_value(self))

    def __round__(self, digits=None):
        return round(_value(self), digits)

    def __abs__(self):
        return abs(_value(self))

    def __neg__(self):
        return -_value(self)

    def __contains__(self, item):
        return item in list(iter(self))


def _forward(name, function):
    """Give :class:`Reference` the operator ``name``, applied to the values."""

    def method(self, other):
        return function(_value(self), _value(other))

    method.__name__ = name
    setattr(Reference, name, method)


for _word in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    _function = getattr(operator, _word)
    _forward(f"__{_word}__", _function)
    _forward(f"__r{_word}__", lambda value, other, f=_function: f(other, value))
for _word in ("lt", "le", "eq", "ne", "gt", "ge"):
    _forward(f"__{_word}__", getattr(operator, _word))


def _known(path, records):
    return path in records or any(name.startswith(path + ".") for name in records)


def _value(item):
    """What stands behind ``item``: a reference's value, anything else as it is."""
    if not isinstance(item, Reference):
        return item
    record = item._records.get(item._path)
    if record is None:
        raise Missing(item._path)
    return record["value"]


def _interval(item):
    record = item._records.get(item._path) if isinstance(item, Reference) else None
    _number(item)
    if not record or not record.get("ci"):
        name = item._path if isinstance(item, Reference) else "a computed value"
        raise Missing(name, f"{name} has no interval (run.metric(…, ci=(low, high)))")
    return record["ci"]


class MissingName(jinja2.StrictUndefined):
    """A name that nothing stands behind; it grows with further dots and fails when it is used."""

    __slots__ = ()

    def _name(self):
        owner = self._undefined_obj
        if isinstance(owner, Reference):
            return f"{owner._path}.{self._undefined_name}"
        return str(self._undefined_name)

    def __getattr__(self, word):
        if word.startswith("_"):
            raise AttributeError(word)
        return MissingName(name=f"{self._name()}.{word}")

    def __getitem__(self, word):
        return MissingName(name=f"{self._name()}.{word}")

    def _fail(self, *_, **__):
        raise Missing(self._name())

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _fail
    __truediv__ = __rtruediv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _fail
    __lt__ = __le__ = __gt__ = __ge__ = __eq__ = __ne__ = __contains__ = _fail
    __neg__ = __pos__ = __abs__ = __round__ = __int__ = __float__ = __str__ = __iter__ = __len__ = (
        __bool__
    ) = _fail
    __call__ = _fail
    __hash__ = jinja2.StrictUndefined.__hash__


# --- filters -------------------------------------------------------------------------------------


def _number(item):
    value = _value(item)
    if isinstance(value, jinja2.Undefined):
        float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        name = f"{item._path}: " if isinstance(item, Reference) else ""
        raise jinja2.UndefinedError(f"{name}{value!r} is not a number")
    return value


def _fixed(value, digits, grouping=False):
    if not math.isfinite(value):
        return "not defined" if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    text = f"{abs(value):,.{digits}f}" if grouping else f"{abs(value):.{digits}f}"
    return (MINUS if value < 0 and float(text.replace(",", "")) else "") + text


def pct(value, digits=1):
    """0.969 → ``96.9 %`` (with a no-break space)."""
    text = _fixed(100 * _number(value), digits)
    return text if text == "not defined" else f"{text}{NBSP}%"


def ci(value, digits=None, percent=True):
    """The interval alone: ``96.6 to 97.1 %``, or ``0.966 to 0.971`` with ``percent=false``."""
    low, high = _interval(value)
    if percent:
        digits = 1 if digits is None else digits
        return f"{_fixed(100 * low, digits)} to {_fixed(100 * high, digits)}{NBSP}%"
    digits = 3 if digits is None else digits
    return f"{_fixed(low, digits)} to {_fixed(high, digits)}"


def pct_ci(value, digits=1):
    """0.969 → ``96.9 % (96.6 to 97.1 %)``."""
    return f"{pct(value, digits)} ({ci(value, digits)})"


def num(value, digits=3):
    """0.9955 → ``0.996``; thousands are grouped."""
    return _fixed(_number(value), digits, grouping=True)


def num_ci(value, digits=3):
    """0.9955 → ``0.996 (0.995 to 0.997)``."""
    return f"{num(value, digits)} ({ci(value, digits, percent=False)})"


def points(value, minus=0, digits=1):
    """A signed difference in percentage points: ``(a - b) | points`` or ``a | points(b)``."""
    difference = 100 * (_number(value) - _number(minus))
    text = _fixed(difference, digits)
    sign = "+" if difference > 0 and float(text) else ""
    return f"{sign}{text}{NBSP}points"


def integer(value):
    """119999.6 → ``120,000``."""
    return _fixed(_number(value), 0, grouping=True)


def short(value):
    """288001 → ``288 k``, 21665664 → ``21.7 M``."""
    number = _number(value)
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= size:
            scaled = number / size
            return f"{_fixed(scaled, 0 if abs(scaled) >= 100 else 1)}{NBSP}{letter}"
    return integer(number)


def duration(value):
    """Seconds → ``3.2 s``, ``4 min 10 s``, ``1 h 05 min``."""
    seconds = _number(value)
    if seconds < 9.95:
        return f"{_fixed(seconds, 1)}{NBSP}s"
    if round(seconds) < 60:
        return f"{round(seconds)}{NBSP}s"
    if round(seconds) < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}{NBSP}min" + (f" {rest}{NBSP}s" if rest else "")
    hours, rest = divmod(round(seconds / 60), 60)
    return f"{hours}{NBSP}h {rest:02d}{NBSP}min"


FILTERS = {
    "pct": pct,
    "pct_ci": pct_ci,
    "points": points,
    "num": num,
    "num_ci": num_ci,
    "int": integer,
    "short": short,
    "duration": duration,
    "ci": ci,
}


def _plain(value):
    """How a value without a filter reads."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return integer(value)
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", MINUS)
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(item) for item in value)
    return str(value)


# --- values on their way through Markdown --------------------------------------------------------

_SHIFT = 0xF0000  # a private-use plane: no Markdown parser sees punctuation or a space in it
_REVEAL_TEXT = {_SHIFT + code: code for code in range(0xFFFE)}
_REVEAL_HTML = _REVEAL_TEXT | {_SHIFT + ord(c): html.escape(c) for c in "<>&\"'"}


def disguise(text):
    """Shift ``text`` into a private-use plane where no character means anything to Markdown."""
    return "".join(chr(_SHIFT + ord(c)) if ord(c) < 0xFFFE else c for c in text)


def reveal(text, escape=True):
    """Turn disguised values back; with ``escape`` as HTML text."""
    return text.translate(_REVEAL_HTML if escape else _REVEAL_TEXT)


@jinja2.pass_context
def _finalize(context, value):
    # pass_context keeps Jinja from folding constants at compile time.
    if isinstance(value, Markup):
        return value
    if isinstance(value, jinja2.Undefined):
        return str(value)
    return disguise(_plain(_value(value)))


# --- rendering -----------------------------------------------------------------------------------


def _flatten(prefix, item, records):
    if isinstance(item, dict):
        for key, value in item.items():
            _flatten(f"{prefix}.{key}", value, records)
    else:
        records[prefix] = {"value": item}


class Prose:
    """Renders Markdown that quotes metrics.

    In a text may stand: every metric under its name; ``data``, ``profile``, ``provenance``,
    ``published``; the :data:`FILTERS`; and the functions

    - ``fig("name")``, ``table("name")``: "Figure 7" as a link; a name of the same chapter, or
      ``"stage.name"``
    - ``chapter("stage")``: "Chapter 2" as a link
    - ``stage_has("training.compact_cnn")``: whether such a metric, or one below it, was made
    - ``tile("label", value, "detail", loud)``: a headline figure, in colour where loud is true

    Parameters
    ----------
    metrics : dict
        The content of ``metrics.json``.
    targets : dict of (kind, stage, name) → (label, anchor or None), optional
        What can be referred to, kind being "fig", "table" or "chapter" (name None). Without it any
        reference is taken as good, as when prose is checked before a run.
    strict : bool
        Whether a name that nothing stands behind is an error; else the text around it is left out.

    Attributes
    ----------
    missing : dict of str to None
        The names that made it leave something out, in order.
    """

    def __init__(self, metrics, targets=None, strict=True):
        self.missing = {}
        self._targets, self._strict = targets, strict
        self._records = {name: dict(record) for name, record in metrics.get("metrics", {}).items()}
        context = {name: metrics.get(name, {}) for name in ("data", "profile", "provenance")}
        for name, item in (context | {"published": published()}).items():
            _flatten(name, item, self._records)

    def markdown(self, text, where, stage=None):
        """``text`` as Markdown with its values in disguise; see :func:`reveal`.

        Parameters
        ----------
        text : str
        where : str
            Notebook and cell, for messages.
        stage : str, optional
            The chapter the text stands in.

        Raises
        ------
        UserError
            If a filter is not known or the template is malformed; where it is strict, also if a
            metric, figure, table or chapter is not known.
        """
        names = {name.split(".")[0] for name in self._records}
        context = {name: Reference(name, self._records) for name in names}
        context |= {kind: functools.partial(self._link, kind, stage) for kind in ("fig", "table")}
        context["chapter"] = lambda name: self._link("chapter", name, None)
        context["stage_has"] = functools.partial(self._has, stage)
        context["tile"] = _tile
        context[_GUARD] = self._guarded
        try:
            filled = _template(_close_up(text)).render(context)
            return leave_out.without_gaps(filled)
        except jinja2.TemplateSyntaxError as error:
            raise UserError(f"{where}, line {error.lineno}: {error.message}") from None
        except Missing as error:
            raise UserError(*self._explain(where, error)) from None
        except UserError as error:
            raise UserError(f"{where}: {error.message}", error.hint) from None
        except (TypeError, ValueError, ArithmeticError, jinja2.TemplateError) as error:
            raise UserError(f"{where}: {error}") from None

    def text(self, text, where, stage=None):
        """``text`` with its values in plain words, for alt texts and messages."""
        filled = Markup(self.markdown(text, where, stage)).striptags() if "{" in text else text
        return reveal(filled, escape=False)

    def _guarded(self, mark, caller):
        """What a part of the text becomes: its words, or ``mark`` where something is missing."""
        try:
            return caller()
        except Missing as error:
            if self._strict:
                raise
            self.missing[error.name] = None
            return mark

    def _has(self, stage, name):
        names = [name, f"{stage}.{name}"] if stage else [name]
        return any(_known(candidate, self._records) for candidate in names)

    def _link(self, kind, stage, name):
        label = {"fig": "Figure", "table": "Table", "chapter": "Chapter"}[kind]
        if self._targets is None:
            return Markup(label)
        found = self._targets.get((kind, stage, name))
        if found is None and name is not None:
            found = self._targets.get((kind, *str(name).partition(".")[::2]))
        if found is None:
            wanted = name if kind != "chapter" else stage
            known = [
                f"{s}.{n}" if n and s != stage else (n or s)
                for k, s, n in self._targets
                if k == kind
            ]
            near = difflib.get_close_matches(str(wanted), known, n=3, cutoff=0.4) or known[:5]
            hint = f"Nearest: {', '.join(near)}" if near else "The report has none."
            message = f"{kind}({wanted!r}) names nothing in the report\n{hint}"
            raise Missing(f"{kind} {wanted}", message)
        label, anchor = found
        if anchor is None:  # a chapter that is not on the page
            return disguise(label)
        return Markup('<a class="xref" href="#{}">{}</a>').format(anchor, label)

    def _explain(self, where, error):
        """Message and hint for what is missing."""
        if error.told:
            message, _, hint = error.told.partition("\n")
            return f"{where}: {message}", hint or None
        missing = error.name
        near = difflib.get_close_matches(missing, self._records, n=3, cutoff=0.5)
        longer = [name for name in self._records if name.startswith(missing + ".")]
        if longer:
            message = f"{where}: {missing} is a group of metrics, not a metric"
            near = longer[:5]
        else:
            message = f"{where}: no metric is named {missing}"
        if not near:
            top = missing.split(".")[0]
            near = [name for name in self._records if name.startswith(top + ".")][:5]
        hint = f"Nearest: {', '.join(near)}" if near else "No metric of that stage is known."
        return message, hint


def _close_up(text):
    """Take away the line break after a tag that has a line to itself, or it would part a table.

    The break moves into a comment, which keeps the line numbers of messages.
    """
    return re.sub(r"(?m)^[ \t]*(\{%[^\n]*?%\})[ \t]*\n", r"\1{#\n#}", text)


def _tile(label, value, detail="", loud=False):
    value, detail = (_plain(_value(item)) for item in (value, detail))
    return Markup(
        '<div class="{}"><span class="tile-label">{}</span> <span class="tile-value">{}</span>'
        ' <span class="tile-detail">{}</span></div>'
    ).format("tile loud" if loud else "tile", label, value, detail)


_GUARD = "_guard"  # no stage's name begins so


@functools.cache
def _template(text):
    """``text`` compiled so that a missing name costs the part that needs it, and no more.

    Every output, condition and loop becomes a call of ``_guard``, which catches :class:`Missing`.
    """
    environment = _environment()
    tree = environment.parse(text)
    tree.body = _guard(tree.body, environment)
    code = environment.compile(tree)
    return jinja2.Template.from_code(environment, code, environment.make_globals(None))


def _guard(statements, environment):
    found = []
    for node in statements:
        if isinstance(node, jinja2.nodes.Output):
            for part in node.nodes:
                alone = jinja2.nodes.Output([part], lineno=part.lineno)
                literal = isinstance(part, jinja2.nodes.TemplateData)
                found.append(alone if literal else _guard_one(alone, leave_out.VALUE, environment))
        elif isinstance(node, (jinja2.nodes.If, jinja2.nodes.For)):
            words = "".join(part.data for part in node.find_all(jinja2.nodes.TemplateData))
            mark = leave_out.SENTENCES if leave_out.ends_sentence(words) else leave_out.VALUE
            for branch in (node, *getattr(node, "elif_", ())):
                branch.body = _guard(branch.body, environment)
                branch.else_ = _guard(branch.else_, environment)
            found.append(_guard_one(node, mark, environment))
        else:
            found.append(node)
    return found


def _guard_one(node, mark, environment):
    function = jinja2.nodes.Name(_GUARD, "load")
    call = jinja2.nodes.Call(function, [jinja2.nodes.Const(mark)], [], None, None)
    block = jinja2.nodes.CallBlock(call, [], [], [node])
    return block.set_lineno(node.lineno).set_environment(environment)


@functools.cache
def _environment():
    environment = jinja2.sandbox.SandboxedEnvironment(
        undefined=MissingName, finalize=_finalize, autoescape=False, keep_trailing_newline=True
    )
    environment.filters |= FILTERS
    environment.globals.clear()
    return environment


def top_level_names(text):
    """Stages and variables that a text refers to, found without filling it.

    Raises
    ------
    UserError
        If the template is malformed or uses an unknown filter.
    """
    try:
        environment = _environment()
        environment.compile(text)
        tree = environment.parse(text)
    except jinja2.TemplateSyntaxError as error:
        raise UserError(f"line {error.lineno}: {error.message}") from None
    # Jinja takes a name that only a branch sets for one from outside.
    own = {name.name for name in tree.find_all(jinja2.nodes.Name) if name.ctx == "store"}
    return jinja2.meta.find_undeclared_variables(tree) - own


def quoted(text):
    """Names that a text quotes, as far as they stand in it, found without filling it.

    Returns
    -------
    list of str
        Words joined by dots. Of ``x[name].auroc`` it is ``auroc``.
    """
    found = {}
    nodes = jinja2.nodes
    for node in _environment().parse(text).find_all((nodes.Getattr, nodes.Getitem, nodes.Call)):
        if isinstance(node, nodes.Call):
            function = getattr(node.node, "name", None)
            names = [one.value for one in node.args if isinstance(one, nodes.Const)]
            found |= dict.fromkeys(map(str, names) if function in _NAMING else ())
            continue
        words = []
        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            word = getattr(node, "attr", None) or getattr(node.arg, "value", None)
            words += [word] if isinstance(word, str) else []
            node = node.node
        root = getattr(node, "name", None)
        found[".".join(reversed(words))] = root
    found.pop("", None)
    own = [name for name, root in found.items() if root not in ("loop", "provenance")]
    return [name for name in own if not any(other.startswith(name + ".") for other in own)]


_NAMING = ("fig", "table", "chapter", "stage_has")
