/** A server of the real program with a browser before it. */
import { inBrowser, type Screen, type Seen } from "./browser.ts";
import { inPlace, type Place, type Served } from "./server.ts";

export interface Scene {
  readonly served: Served;
  readonly place: Place;
  /** As the operator. Any body but a text is sent as JSON. */
  ask(method: string, path: string, body?: unknown): Promise<Response>;
  open(screen?: Screen): Promise<Seen>;
}

export interface Stage {
  /** Of the command line. */
  readonly flags?: readonly string[];
  /** What is in its `agentd.json`. */
  readonly settings?: unknown;
  /** All that it sees of an environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs with a server of the real program. */
export async function scene(
  run: (scene: Scene) => Promise<void>,
  { flags = [], settings = {}, env = {} }: Stage = {},
): Promise<void> {
  await inPlace(async (place) => {
    await Deno.mkdir(`${place.dir}/.agentd`);
    await Deno.writeTextFile(`${place.dir}/.agentd/agentd.json`, JSON.stringify(settings));
    const served = await place.serve(["dev", "--listen", "127.0.0.1:0", ...flags], { env });
    const token = (await Deno.readTextFile(`${place.dir}/.agentd/token`)).trim();
    await inBrowser((open) =>
      run({
        served,
        place,
        open,
        ask: (method, path, body) =>
          fetch(served.url + path, {
            method,
            headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
            ...(body === undefined
              ? {}
              : { body: typeof body === "string" ? body : JSON.stringify(body) }),
          }),
      })
    );
  });
}
