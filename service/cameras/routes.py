"""The paths below /v1/cameras: cameras before they are streams."""

from typing import Annotated

from fastapi import APIRouter, Depends

from service.cameras.control import CameraControl
from service.cameras.schemas import (
    CameraInquiry,
    CameraRead,
    CameraSearch,
    CameraSearchRead,
    CameraTest,
    CameraTestRead,
)
from service.deps import provided
from service.responses import problems
from service.security import Operator

router = APIRouter(prefix="/v1/cameras", tags=["cameras"], dependencies=[Operator])

ControlDep = Annotated[CameraControl, Depends(provided(CameraControl))]
_UNREACHABLE = {
    403: "`source_forbidden`: an address that the settings do not allow; `forbidden`",
    429: "`at_capacity`: as many as may are going on; `too_many_attempts`; see Retry-After",
    504: "`timeout`: nothing came in time",
}
_TEST = problems(
    {
        **_UNREACHABLE,
        415: "`codec_unsupported`: no video that is known here",
        422: "`invalid_request`; `decoder_failed`: what came is more than a decoder may take",
        502: "`connection_failed`, `auth_failed`, `not_found`, `tls_failed`, `ended`",
    }
)
_INQUIRY = problems(
    {
        **_UNREACHABLE,
        502: "`connection_failed`, `auth_failed`, `not_found`, `tls_failed`; `not_onvif`: no answer of a camera",
    }
)


@router.post("/test", responses=_TEST, summary="Test an address")
def test_camera(asked: CameraTest, control: ControlDep) -> CameraTestRead:
    """Opens the address for a second or two, and shows what comes. Nothing is kept."""
    found = control.test(asked.order(is_coarse=control.blurs))
    return CameraTestRead.of(asked, found, is_coarse=control.blurs)


@router.post(
    "/search", summary="Search for cameras",
    responses=problems({
        403: "`forbidden`: also where ACTOGRAM_CAMERA_SEARCH is false",
        429: "`at_capacity`: a search is going on; `too_many_attempts`; see Retry-After",
    }),
)  # fmt: skip
def search_cameras(asked: CameraSearch, control: ControlDep) -> CameraSearchRead:
    """Asks the server's own networks for ONVIF cameras (WS-Discovery), and waits for their answers."""
    return CameraSearchRead.of(control.search(asked.interface, asked.wait_s))


@router.post("/streams", responses=_INQUIRY, summary="Ask a camera for its streams")
def ask_camera(asked: CameraInquiry, control: ControlDep) -> CameraRead:
    """What an ONVIF camera is, and the addresses of its streams."""
    return CameraRead.of(control.describe(asked.address, asked.login))
