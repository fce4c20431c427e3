// The live channel: one WebSocket that resubscribes, resumes after its last number, and waits longer each time.
import { socketUrl } from "./api.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 10_000;
const SILENCE_MS = 45_000; // The server sends heartbeats: nothing at all for this long is a dead connection.

/**
 * Open a channel. `interest` is the subscription: {streams, jobs, messages, max_rate_hz}. `onMessage(envelope)` gets
 * everything but heartbeats, `onState("open" | "waiting" | "refused", detail)` what to tell the person, `onReset()` when
 * messages were lost for good and the page must ask again over HTTP. Returns {close, lastSeq}.
 */
export function openChannel(interest, { onMessage, onState = () => {}, onReset = () => {}, path = "/v1/ws" }) {
  const self = { socket: null, seq: null, wait: FIRST_WAIT_MS, timer: 0, watchdog: 0, isClosed: false };
  connect();
  return {
    close() {
      self.isClosed = true;
      clearTimeout(self.timer);
      clearTimeout(self.watchdog);
      self.socket?.close();
    },
    lastSeq: () => self.seq,
  };

  function connect() {
    const socket = new WebSocket(socketUrl(path));
    self.socket = socket;
    socket.onopen = () => {
      socket.send(
        JSON.stringify({ type: "subscribe", ...interest, ...(self.seq === null ? {} : { since_seq: self.seq }) }),
      );
    };
    socket.onmessage = (event) => receive(JSON.parse(event.data));
    socket.onclose = retry;
    watch();
  }

  function receive(message) {
    watch();
    if (message.type === "subscribed") {
      self.wait = FIRST_WAIT_MS;
      onState("open");
    } else if (message.type === "gap") {
      onReset();
    } else if (message.type === "error") {
      onState("refused", message.data?.detail);
    } else if (message.type !== "heartbeat") {
      onMessage(message);
    }
    // Frames and heartbeats repeat the last stored number: the last one seen is where to resume.
    if (Number.isInteger(message.seq)) self.seq = message.seq;
  }

  function retry() {
    clearTimeout(self.watchdog);
    if (self.isClosed) return;
    const wait = self.wait * (0.7 + 0.6 * Math.random());
    self.wait = Math.min(LONGEST_WAIT_MS, self.wait * 2);
    onState("waiting", wait);
    self.timer = setTimeout(connect, wait);
  }

  function watch() {
    clearTimeout(self.watchdog);
    self.watchdog = setTimeout(() => self.socket?.close(), SILENCE_MS);
  }
}
