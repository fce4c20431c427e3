// This device's camera as a stream: pictures as JPEG over a WebSocket, never more than the line takes.
import { socketUrl } from "./api.js";

const WIDTH_PX = 640;
const QUALITY = 0.75;
const FULLEST_BYTES = 192 * 1024; // more than this waits in the socket: skip, a late picture is worth nothing
const LONGEST_WAIT_MS = 8000;

let active = null;

/** The camera that is on now: {streamId, sent, skipped, stop}, or null. */
export function activeWebcam() {
  return active;
}

/** Whether this browser hands out its camera here; it does on https and on this machine only. */
export function hasWebcam() {
  return Boolean(navigator.mediaDevices?.getUserMedia);
}

/** Ask the person for the camera; raises DOMException when refused. */
export function askForCamera() {
  return navigator.mediaDevices.getUserMedia({
    video: { width: { ideal: WIDTH_PX }, frameRate: { ideal: 15 } },
    audio: false,
  });
}

/** Send a camera's pictures to a stream of `push:` until stopped; one camera at a time. */
export async function startWebcam(streamId, media, fps = 12) {
  active?.stop();
  const video = Object.assign(document.createElement("video"), { srcObject: media, muted: true, playsInline: true });
  await video.play();
  const self = {
    streamId,
    media,
    video,
    fps,
    sent: 0,
    skipped: 0,
    wait: 400,
    socket: null,
    timer: 0,
    isOver: false,
    isBusy: false,
  };
  self.stop = () => stop(self);
  media.getVideoTracks()[0].addEventListener("ended", self.stop);
  active = self;
  connect(self);
  self.timer = setInterval(() => sendPicture(self), 1000 / fps);
  tell();
  return self;
}

function stop(self) {
  if (self.isOver) return;
  self.isOver = true;
  clearInterval(self.timer);
  self.socket?.close();
  self.media.getTracks().forEach((track) => track.stop());
  if (active === self) active = null;
  tell();
}

function tell() {
  dispatchEvent(new Event("webcamchange"));
}

function connect(self) {
  if (self.isOver) return;
  const socket = new WebSocket(socketUrl(`/v1/streams/${encodeURIComponent(self.streamId)}/push`));
  self.socket = socket;
  socket.onopen = () => (self.wait = 400);
  socket.onclose = () => {
    if (self.isOver) return;
    setTimeout(() => connect(self), self.wait * (0.7 + 0.6 * Math.random()));
    self.wait = Math.min(LONGEST_WAIT_MS, self.wait * 2);
  };
}

async function sendPicture(self) {
  const { socket, video } = self;
  if (self.isBusy || socket?.readyState !== WebSocket.OPEN || !video.videoWidth) return;
  if (socket.bufferedAmount > FULLEST_BYTES) {
    self.skipped += 1;
    return;
  }
  self.isBusy = true;
  try {
    const blob = await picture(video);
    if (blob && socket.readyState === WebSocket.OPEN) {
      socket.send(blob);
      self.sent += 1;
    }
  } finally {
    self.isBusy = false;
  }
}

function picture(video) {
  const scale = Math.min(1, WIDTH_PX / video.videoWidth);
  const canvas = (picture.canvas ??= document.createElement("canvas"));
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", QUALITY));
}
