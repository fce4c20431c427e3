// A client in TypeScript, its types generated from the service's OpenAPI document: node client.js URL VIDEO MESSAGE
import { readFile } from "node:fs/promises";
import createClient from "openapi-fetch";
import type { components, paths, webhooks } from "./api.js";

type LiveMessage = components["schemas"]["LiveMessage"];
type Told = webhooks["action"]["post"]["requestBody"]["content"]["application/json"];

const [url, video, heard] = process.argv.slice(2) as [string, string, string];
const api = createClient<paths>({ baseUrl: url });

const form = new FormData();
form.append("file", new Blob([await readFile(video)]), "clip.mp4");
form.append("tags", JSON.stringify({ site: "north" }));
const created = await api.POST("/v1/jobs", {
  body: { file: "", tags: { site: "north" } },
  bodySerializer: () => form,
});
if (created.error) throw new Error(`${created.error.code}: ${created.error.detail}`);
const path = { job_id: created.data.job_id };

let state: components["schemas"]["JobRead"]["state"] = created.data.state;
while (state === "queued" || state === "running") {
  await new Promise((resolve) => setTimeout(resolve, 50));
  state = (await api.GET("/v1/jobs/{job_id}", { params: { path } })).data?.state ?? "failed";
}
const timeline = await api.GET("/v1/jobs/{job_id}/timeline", { params: { path } });
const named = await api.POST("/v1/jobs", { body: { source: { uri: "ftp://host/clip.mp4" } } });
const missing = await api.GET("/v1/streams/{stream_id}", { params: { path: { stream_id: "none" } } });

/** The labels that a message tells; `type` decides what its data holds. */
function labels(message: LiveMessage): string[] {
  if (message.type === "frame") return message.data.persons.flatMap((person) => person.action ?? []);
  if (message.type === "action.started" || message.type === "action.ended") return [message.data.action];
  return [];
}
const told: Told["type"] = "action.started";

console.log(
  JSON.stringify({
    state,
    tags: created.data.tags,
    actions: timeline.data?.tracks.flatMap((track) => track.actions.map((one) => one.action)),
    named: named.error?.code,
    missing: missing.error?.code,
    labels: labels(JSON.parse(heard) as LiveMessage),
    told,
  }),
);
