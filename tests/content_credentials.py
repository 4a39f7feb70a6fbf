"""C2PA manifests for tests, signed with certificates made on the spot."""

import datetime
import io

import c2pa
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import AuthorityInformationAccessOID as Access
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

TERMS = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_USES = (
    "digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
    "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
)  # fmt: skip


def created(term):
    """The action of making an image, with a digital source type."""
    return {"action": "c2pa.created", "digitalSourceType": TERMS + term}


class Signer:
    """Somebody who signs manifests; ``root`` is the PEM of the certificate to trust them by.

    ``ocsp`` is the address at which the certificate says that its revocation can be asked for.
    """

    def __init__(self, ocsp="http://127.0.0.1:9/"):
        root_key, self._key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        root = _certificate("Test Root", root_key, "Test Root", root_key, is_root=True)
        leaf = _certificate("Test Signer", self._key, "Test Root", root_key, ocsp=ocsp)
        self.root, leaf = (
            one.public_bytes(serialization.Encoding.PEM).decode() for one in (root, leaf)
        )
        self._chain = leaf + self.root

    def sign(self, content, mime, *actions, ingredients=(), remote=None):
        """The file ``content`` with a manifest of ``actions``.

        ``ingredients`` are files, each with its relationship; ``remote`` is an address at which the
        file says that its manifest lies, too.
        """
        manifest = {
            "claim_generator_info": [{"name": "Test generator"}],
            "assertions": [{"label": "c2pa.actions", "data": {"actions": list(actions)}}],
        }
        builder = c2pa.Builder(manifest)
        for name, (relationship, file) in enumerate(ingredients):
            record = {"relationship": relationship, "instance_id": str(name)}
            builder.add_ingredient(record, mime, io.BytesIO(file))
        if remote:
            builder.set_remote_url(remote)
        out, algorithm = io.BytesIO(), c2pa.C2paSigningAlg.ES256
        with c2pa.Signer.from_callback(self._signature, algorithm, self._chain) as signer:
            builder.sign(signer, mime, io.BytesIO(content), out)
        return out.getvalue()

    def _signature(self, data):
        found = decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return b"".join(number.to_bytes(32, "big") for number in found)


def _name(name):
    organization = x509.NameAttribute(NameOID.ORGANIZATION_NAME, f"{name} Ltd")
    return x509.Name([organization, x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _certificate(name, key, issuer, issuer_key, is_root=False, ocsp=None):
    now, day = datetime.datetime.now(datetime.UTC), datetime.timedelta(days=1)
    uses = ("key_cert_sign", "crl_sign") if is_root else ("digital_signature",)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 30 * day)
        .add_extension(x509.BasicConstraints(is_root, None), True)
        .add_extension(x509.KeyUsage(**{use: use in uses for use in _USES}), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    )
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key())
    builder = builder.add_extension(authority, False)
    if ocsp:
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION])
        place = x509.AccessDescription(Access.OCSP, x509.UniformResourceIdentifier(ocsp))
        builder = builder.add_extension(purpose, False)
        builder = builder.add_extension(x509.AuthorityInformationAccess([place]), False)
    return builder.sign(issuer_key, hashes.SHA256())
