// A camera's moving pictures (MJPEG) taken apart here, so that each is shown together with what was said of it.
import { send } from "./api.js";

const LONGEST_PART = 8 * 2 ** 20;
const RETRY_MS = 1500;

/**
 * Read pictures from a preview path until closed. `onPicture({bitmap, frameIndex, mediaTimeS})`: the last two are null
 * when the picture does not say which frame it is. `onState("open" | "waiting", error)`. Returns {close}.
 */
export function openFeed(path, { onPicture, onState }) {
  const abort = new AbortController();
  run(path, abort, { onPicture, onState });
  return { close: () => abort.abort() };
}

async function run(path, abort, { onPicture, onState }) {
  while (!abort.signal.aborted) {
    try {
      const response = await send("GET", path, {
        signal: abort.signal,
        headers: { Accept: "multipart/x-mixed-replace" },
      });
      onState("open");
      for await (const bytes of parts(response.body.getReader())) {
        const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }));
        if (abort.signal.aborted) return bitmap.close();
        onPicture({ bitmap, ...frameOf(bytes) });
      }
      onState("waiting", null);
    } catch (error) {
      if (error.name === "AbortError" || abort.signal.aborted) return null;
      onState("waiting", error);
      if (error.status === 403 || error.status === 404) return null;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  return null;
}

async function* parts(reader) {
  // Each part: a boundary line, headers with Content-Length, an empty line, the bytes.
  let held = new Uint8Array(0);
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    held = join(held, value);
    for (let part = takePart(held); part; part = takePart(held)) {
      held = part.rest;
      yield part.bytes;
    }
    if (held.length > LONGEST_PART) throw new Error("A picture of the camera is larger than 8 MiB.");
  }
}

function takePart(held) {
  const end = indexOf(held, [13, 10, 13, 10]);
  if (end < 0) return null;
  const length = Number(/content-length:\s*(\d+)/i.exec(new TextDecoder().decode(held.subarray(0, end)))?.[1]);
  if (!Number.isFinite(length)) throw new Error("The camera's pictures come without a length.");
  const start = end + 4;
  if (held.length < start + length) return null;
  return { bytes: held.slice(start, start + length), rest: held.slice(start + length) };
}

function indexOf(bytes, pattern) {
  const last = Math.min(bytes.length, 2048) - pattern.length;
  for (let at = 0; at <= last; at += 1) if (pattern.every((byte, offset) => bytes[at + offset] === byte)) return at;
  return -1;
}

function join(one, other) {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

/** Which frame a JPEG is, from its comment segment (`frame_index=12;media_time_s=0.8`), else nulls. */
export function frameOf(bytes) {
  let at = 2;
  while (at + 4 < bytes.length && bytes[at] === 0xff && bytes[at + 1] !== 0xda) {
    const length = bytes[at + 2] * 256 + bytes[at + 3];
    if (bytes[at + 1] === 0xfe) {
      const found = /frame_index=(\d+);media_time_s=([\d.]+)/.exec(
        new TextDecoder().decode(bytes.subarray(at + 4, at + 2 + length)),
      );
      if (found) return { frameIndex: Number(found[1]), mediaTimeS: Number(found[2]) };
    }
    at += 2 + length;
  }
  return { frameIndex: null, mediaTimeS: null };
}
