"""The published sample grids of generators that were trained on CIFAR-10, and how each is cut.

They stand in a module, not in a data file, because a stage's key counts the modules that its
notebook reaches: a changed pin runs again whatever was measured on it.
"""

from dataclasses import dataclass
from urllib.parse import quote

HOST = "https://raw.githubusercontent.com"
TILE = 32


@dataclass(frozen=True)
class Grid:
    """One published image of many samples, tiles of 32 × 32 pixels.

    Tile (i, j) begins ``left + j * (32 + gap)`` pixels from the left and ``top + i * (32 + gap)``
    from the top. ``file`` is its name on this machine.
    """

    file: str
    url: str
    sha256: str
    columns: int
    rows: int
    gap: int = 0
    left: int = 0
    top: int = 0

    @property
    def shape(self):
        """Shape (height, width, 3) of the image: behind the last tile, too, there is a gap."""
        step = TILE + self.gap
        return self.top + self.rows * step, self.left + self.columns * step, 3


@dataclass(frozen=True)
class Generator:
    """One generator; ``family`` is ``"gan"``, ``"diffusion"`` or ``"autoregressive"``."""

    title: str
    family: str
    grids: tuple

    @property
    def was_jpeg(self):
        """Whether its samples were published as JPEG, so that they are compressed twice here."""
        return any(grid.file.endswith(".jpg") for grid in self.grids)


def _read(table):
    """Name to :class:`Generator`, in the order of the table."""
    found = {}
    for line in table.strip("\n").splitlines():
        depth, line = len(line) - len(line.lstrip()), line.strip()
        if depth == 0:
            repository, commit, folder, prefix = line.split()
        elif depth == 2:
            name, title, family, geometry = line.split("; ")
            found[name] = Generator(title, family, ())
        else:
            sha256, file = line.split()
            url = f"{HOST}/{repository}/{commit}/{quote(f'{folder}/{file}')}"
            grid = Grid(f"{prefix}__{file}", url, sha256, *map(int, geometry.split()))
            found[name] = Generator(title, family, (*found[name].grids, grid))
    return found


# Repository, commit, folder, and what the local names begin with. In it the generators: name,
# title, family; columns, rows, gap, left, top. In each the files, with their SHA-256.
GENERATORS = _read("""
w86763777/pytorch-ddpm f804ccbd58a758b07f79a3b9ecdfb1beb67258f6 images pytorch-ddpm
  ddpm; DDPM; diffusion; 16 16 2 2 2
    ed259f5daa2a1b0bd6808bdd6feefe5edf8fc83f4b5ab062517f62a4e1371b48 cifar10_samples.png
w86763777/pytorch-gan-collections 581bad4aa84cf364db712ab6a873cef4ec506013 images gan-collections
  dcgan; DCGAN; gan; 8 8 2 2 2
    b2177374357857040143629d27dd94ea29fb8a0cd3726c0d3facdd01dc2a7149 dcgan_cifar10.png
  sngan; SNGAN; gan; 8 8 2 2 2
    bf9b23fb3d3225c4a4831b829520bd309a2c05fd6423e606bb498c9da50a4054 sngan_cifar10_cnn.png
  wgan; WGAN; gan; 8 8 2 2 2
    5000761761608205e4cf663d40c0e03026af4a5fe81ab597d26410268c85ddf5 wgan_cifar10_cnn.png
pfnet-research/chainer-gan-lib cf9efba5b166c07bfd56be1bd4aa9a662dd54bd1 images chainer-gan-lib
  chainer_dcgan; DCGAN (chainer); gan; 10 10 0 0 0
    9129f8364068fff2f7ebc2639b4d4acf20e34f54bccf9db03f0ab02e6fa334e0 dcgan.png
  chainer_dfm; Denoising feature matching GAN; gan; 10 10 0 0 0
    6d1d0d4865903333a07a0d70d02bb4cba82c7aa8c18b240c02043d470ea0b895 dfm.png
  chainer_dragan; DRAGAN; gan; 10 10 0 0 0
    b0a3409038e5c9cf0be96b53fb2e1d6b2b574a1016d0bd04e15ccf292a53222d dragan.png
  chainer_minibatch_dis; GAN with minibatch discrimination; gan; 10 10 0 0 0
    a5a238010391fec85b7829a9cc4ae7669ac09f1daadf352a517104ae4c5b12ed minibatch_dis.png
  chainer_sndcgan; SN-DCGAN; gan; 10 10 0 0 0
    a7965c3787f7a3d77e742a43f48b98766d06d09d258b517b963799a4e9e43c65 sndcgan.png
  chainer_wgan_gp; WGAN-GP (chainer); gan; 10 10 0 0 0
    d16b5c6a9215db563f0f33f21b31b2e2665812a3bfeca8695c84201dfc5dfec6 wgan_gp.png
spurra/ss-infogan 4a5ead514314cbddab7df5d1b3a158e2f01d05dd images ss-infogan
  ss_infogan; ss-InfoGAN; gan; 10 10 0 0 0
    0634f7d2edc815a145c10816207ea1a72e1903ef902da95b4174270520e853de cifar.png
chenlin9/Autoregressive-Modeling-with-Distribution-Smoothing 91c8f79a00dda4efddccc23c28abb1ec9349f142 images autoregressive-modeling-with-distribution-smoothing
  ar_smoothing; PixelCNN++ with distribution smoothing; autoregressive; 8 8 0 0 0
    c9ccf738b7c6b8abe4f85e2d0f4468ad64a40e2320588a1da23cfe56ab36ebd3 cifar10_samples.png
andreasfloros/diffusion 411296ec90ee35664820425a75862465e2d5aa1a assets diffusion
  floros_diffusion; Diffusion (Floros); diffusion; 16 16 0 0 0
    8cd7c2075b1b96e5b03bd299823825db6e28a77eca70b14a3024191a1b98f5d8 cifar10_samples.png
CIFASIS/splitting_gan 292fac0ea587e67c095a5ffa8f6ca7575afb1ce1 images splitting_gan
  splitting_gan; Splitting GAN; gan; 10 10 0 323 0
    903b0f65a2ef78a0baa703c3c0ef8b39ec35a56110c6820e9cdd1d57264c2668 cifar10_generated.png
s-chh/PyTorch-GAN-Variants 5a375bebf9e6853b2a4474613cc72d650984a695 DCGAN_32/Results pytorch-gan-variants
  dcgan_variants; DCGAN (s-chh); gan; 16 16 2 2 2
    f917a04a4b3c5a3d201e36eec7ef7c9529e8bf12fe676c686f001b080aceb006 CIFAR10.png
igul222/improved_wgan_training fa66c574a54c4916d27c55441d33753dcc78f6bc samples/cifar10 improved_wgan_training
  gulrajani_wgan_gp_adam; WGAN-GP, Adam; gan; 10 10 0 0 0
    4eadc57c74dc7ddc017520ccd66e82b345e0dd27bdc488d55fa3cd74ba165564 wgan_gp_adam_samples_199000.jpg
  gulrajani_wgan_gp_rmsprop; WGAN-GP, RMSprop; gan; 10 10 0 0 0
    83d183f6e6f009f633415c660fe461268e10e51b08ab2c656f1fa2a570405732 wgan_gp_rmsprop_samples_199000.jpg
Keer1/Deeplearning 42912736e0fad2fb2dd64b57d922dd6c59d65ebc HW5/results/sample_grids deeplearning
  ddpm_keer; DDPM (Keer); diffusion; 8 8 2 2 2
    c9d1463d212edd7c21736c6e215378e27ca7cd638ca0e911be590bb18eee77b6 samples_epoch_160.png
    b9dc465a87235365a4cd96c89292887a536d14a4b08dbc5708922b0d803690c8 samples_epoch_180.png
    20d8eb8b0961aa5b0c4054c1c7c47b2f8296d90f29857bfb990951626ad46f51 samples_epoch_200.png
    f685e8901ff5444d1871a86971b81a4a5f9771de2472df3d97bc553bbab8cf82 samples_64.png
pclucas14/pixel-cnn-pp 7cb4436f062fda9b63ecc9e3b75d2c2dcb379931 images pixel-cnn-pp
  pixelcnnpp; PixelCNN++; autoregressive; 5 5 0 0 0
    46cf78137ec20ec2c25101184b1079546dc6216539439376b47ea475f92b3c16 pcnn_lr:0.00020_nr-resnet5_nr-filters160_11.png
    0431f6c3c29faa98242f6590877580831769205cc6b3e03eebb5b7b458c9102c pcnn_lr:0.00020_nr-resnet5_nr-filters160_110.png
    ebf2415ffd93aae766bb5138ab459ce546c96fdc1c0ebbadf513aa49b62393dd pcnn_lr:0.00020_nr-resnet5_nr-filters160_113.png
    ccbf223e8bdf3a75859a73c95bceeffd1e79a12df53f56f91d7b499fdd6ff319 pcnn_lr:0.00020_nr-resnet5_nr-filters160_116.png
    17e930f03a2614294738beeba72301e52412b7b24f8b4505cfe4e2460ec7f958 pcnn_lr:0.00020_nr-resnet5_nr-filters160_119.png
    90e32e369e4d229af1d7efa1cff31089ff9c018e16f53012f8a9580d0b22da32 pcnn_lr:0.00020_nr-resnet5_nr-filters160_122.png
    66a6a7d3e092a7946fffd7e24b1789500ff945cb8df737b55d822d439cfcb729 pcnn_lr:0.00020_nr-resnet5_nr-filters160_125.png
    1dfe97c5db49dd16b7a53484c33ecb54fc41c2ef3b1e3a842b84fee086584fa9 pcnn_lr:0.00020_nr-resnet5_nr-filters160_128.png
    0ea422b35338e81be9527526d582eb19b123f44e0cfc8db7bb3e99c1f3e66e81 pcnn_lr:0.00020_nr-resnet5_nr-filters160_131.png
    73047d680d53e1af63125ef8f61d5bd3700975dda420a6b6ece2a4bd57d7b400 pcnn_lr:0.00020_nr-resnet5_nr-filters160_134.png
    b6a8b0e44ef351fc7f8919e1dbe37a754e3b1482234352a26c9dda2fe33a3402 pcnn_lr:0.00020_nr-resnet5_nr-filters160_137.png
    83341766147b13d1ed016cd2b1678fcf5869bba4ac436b4ab873dc7fe0185916 pcnn_lr:0.00020_nr-resnet5_nr-filters160_14.png
    42cce5c8b0e1a4ccbd44e4a0a957747d796b40ada2f4a9e1de367179a0621c60 pcnn_lr:0.00020_nr-resnet5_nr-filters160_140.png
    134e7159eab26319e20862b77bb8a6beae42fef2adca875ad5c3e10f7db80000 pcnn_lr:0.00020_nr-resnet5_nr-filters160_143.png
""")  # noqa: E501
"""Generators trained on CIFAR-10 itself, by name."""

CORE = ("ddpm", "dcgan", "sngan", "wgan")
"""The four that the chapters 2 to 5 measure."""
