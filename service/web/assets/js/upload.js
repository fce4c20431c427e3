// Sends a video with progress; fetch cannot report what was sent, so this is XMLHttpRequest.
import { ApiError, problem, unique } from "./api.js";
import { address } from "./dom.js";

/**
 * Upload one file to /v1/jobs with `options`, the fields of the form. `onProgress(share)` gets 0..1 of the bytes sent.
 * Resolves to the job; raises ApiError; `signal` stops it.
 */
export function uploadVideo(file, { options, onProgress, signal }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const form = new FormData();
    for (const [name, value] of Object.entries(options)) form.append(name, String(value));
    form.append("file", file, file.name);
    request.open("POST", address("/v1/jobs"));
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Idempotency-Key", unique());
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(JSON.parse(request.responseText));
      else reject(problem(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () =>
      reject(
        new ApiError("The upload broke off: the server closed the connection or cannot be reached.", {
          code: "unreachable",
          title: "Upload failed",
        }),
      );
    request.onabort = () => reject(new DOMException("stopped", "AbortError"));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
