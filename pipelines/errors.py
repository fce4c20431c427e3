"""What can go wrong in pipelines.

PipelineError
├── SourceError              a video or a camera cannot be read; `code` says why
│   ├── UnsupportedMedia     not a video, no video track, or a codec that cannot be decoded
│   ├── SourceTruncated      the file ends before its first frame can be decoded
│   ├── SourceTooLarge       more pixels, frames or seconds than the limits allow
│   ├── SourceTooLong        more frames than whoever asks for the analysis allows
│   ├── SourceUnavailable    a live source that cannot be reached: connection_failed, auth_failed, not_found,
│   │   │                    tls_failed, timeout, codec_unsupported, ended
│   │   └── HostUnknown      its host has no address
│   ├── SourceForbidden      a URI whose scheme or host the settings refuse
│   └── DecoderFailed        the process that decodes the file crashed on it, got stuck, or took more than it may
├── SinkError                results cannot be written
│   └── DiskFull             no space left on the device
├── AnalysisCancelled        the caller asked to stop; nothing is left behind
├── RunExists                a folder that holds a training run already, or one that is still going on
├── DatasetInvalid           an annotation file whose content is not what it should be
├── PackageMissing           an optional package that is not installed
└── ConfigInvalid            a value out of its range, an unknown key, or two values that contradict each other
"""


class PipelineError(Exception):
    """Any failure of pipelines; `code` is stable and may be shown to clients."""

    code = "pipeline_error"


class SourceError(PipelineError):
    """A video or a camera that cannot be read."""

    code = "source_error"


class UnsupportedMedia(SourceError):
    """Not a video, no video track, or a codec that cannot be decoded."""

    code = "unsupported_media"


class SourceTruncated(SourceError):
    """A file that ends before its first frame can be decoded."""

    code = "source_truncated"


class SourceTooLarge(SourceError):
    """More pixels, frames or seconds than the limits allow."""

    code = "too_large"


class SourceTooLong(SourceError):
    """More frames than whoever asks for the analysis allows."""

    code = "too_long"


class SourceUnavailable(SourceError):
    """A live source that cannot be reached, or that was lost; `code` is one of the named reasons."""

    def __init__(self, message: str, code: str = "connection_failed") -> None:
        super().__init__(message)
        self.code = code


class HostUnknown(SourceUnavailable):
    """A host without an address; `code` is connection_failed."""


class SourceForbidden(SourceError):
    """A URI whose scheme or host the settings refuse."""

    code = "source_forbidden"


class DecoderFailed(SourceError):
    """A file whose decoder process crashed, got stuck, or took more memory or processor time than it may."""

    code = "decoder_failed"


class SinkError(PipelineError):
    """Results that cannot be written."""

    code = "sink_error"


class DiskFull(SinkError):
    """No space left on the device that holds the results."""

    code = "disk_full"


class AnalysisCancelled(PipelineError):
    """The caller asked to stop; nothing is left behind."""

    code = "cancelled"


class RunExists(PipelineError):
    """A folder that holds a training run already, or one that is still going on."""

    code = "run_exists"


class DatasetInvalid(PipelineError):
    """An annotation file whose content is not what it should be."""

    code = "dataset_invalid"


class ConfigInvalid(PipelineError):
    """A value out of its range, an unknown key, or two values that contradict each other."""

    code = "config_invalid"


class PackageMissing(PipelineError):
    """An optional package that is not installed."""

    code = "package_missing"
