"""The folders of the service: made where they are missing."""

from __future__ import annotations

import errno

from daemon.config import Settings
from daemon.host import disk_errors
from daemon.outbox.durable_file_moves import make_folder
from freeal.errors import ConfigError, Where


def prepare_folders(settings: Settings) -> None:
    """Make what is missing. Raises `ConfigError` naming the key of a folder that cannot be made."""
    for key, folder in {"inbox": settings.inbox, "models": settings.models, "state": settings.work}.items():
        try:
            make_folder(folder)
            if key == "state":
                settings.state.chmod(0o700)  # claimed texts and answers are nobody else's business
        except OSError as cause:
            if trouble := disk_errors.disk_error_in(cause):
                raise trouble from cause
            taken = cause.errno in {errno.EEXIST, errno.ENOTDIR}
            problem = "is not a folder" if taken else f"cannot be made or used: {cause.strerror}"
            hint = "choose another folder, or mend the permissions"
            raise ConfigError(problem, where=Where(file=folder, key=key), hint=hint) from cause
