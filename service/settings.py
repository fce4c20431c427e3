"""Everything that the environment may say; nothing else reads it."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of the product, each from `ACTOGRAM_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="ACTOGRAM_", frozen=True, extra="forbid")

    home: Path = Field(
        default_factory=lambda: Path.home() / ".actogram",
        description="Folder of the database, the blobs and the cache.",
    )
    weights: Path | None = Field(
        None, description="A folder with weight files that are taken before anything is fetched."
    )
    offline: bool = Field(
        False, description="Fetch nothing: weights come from the cache, the folder or the repository."
    )
    device: str = Field("cpu", description="Where networks run: cpu, cuda:0, ...")
    threads: int = Field(1, ge=1, le=64, description="Threads per network session; more than one rarely pays.")

    @property
    def cache(self) -> Path:
        """Where fetched and converted weights are kept."""
        return self.home / "weights"
