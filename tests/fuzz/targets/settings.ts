/** The settings file, its JSON with comments, and what variables say. */
import type { Home } from "../../../src/cli/home.ts";
import { parseJsonc } from "../../../src/cli/jsonc.ts";
import { envName, readSettings, SETTING_NAMES } from "../../../src/cli/settings.ts";
import { parseListen } from "../../../src/cli/listen.ts";
import { declaredHooks } from "../../../src/http/hooks/hook.ts";
import { equal, ok } from "../../assert.ts";
import { mistyped, refusing } from "../expect.ts";
import { anyText, brokenText } from "../mutate.ts";
import type { Target } from "../target.ts";

const VALID = [
  "{}",
  `{
  // where it listens
  "listen": "127.0.0.1:8081", /* a
  block */ "allow_host": ["agents.example",],
}`,
  '{"require_token": true, "grace_ms": 10000, "model_server": ["http://127.0.0.1:1234/v1"]}',
  '{"hooks": {"git": {"scheme": "github", "agent": "bob", "secret": {"env": "AGENTD_HOOK"}}}}',
  '{"compute": {"servers": [{"url": "http://127.0.0.1:8080/v1"}], "discover": false}}',
  '{"hooks":{"h":{"scheme":"hmac-sha256","agent":"a","secret":{"file":"/x"},"signed":"{timestamp}.{body}","timestamp_header":"x-time"}}}',
];
const VALUES = [
  "127.0.0.1:8080",
  "[::1]:0",
  "unix:./s.sock",
  "true",
  "10000",
  "a.example,b",
  "http://h/v1",
];

export const target: Target<{ text: string; value: string; name: number }> = {
  about: "settings are read, or refused by a line that says where they are wrong",
  sample: 600,
  make: (chance) => ({
    text: chance.percent(90) ? brokenText(chance, chance.pick(VALID), VALID) : anyText(chance, 20),
    value: brokenText(chance, chance.pick(VALUES), VALUES),
    name: chance.below(SETTING_NAMES.length),
  }),
  begin() {
    const dir = Deno.makeTempDirSync({ prefix: "agentd-fuzz-" });
    const home: Home = { dir, shown: "./home", from: "--home" };
    const env = (of: number, value: string) => (name: string) =>
      name === envName(SETTING_NAMES[of] ?? "listen") ? value : undefined;
    return {
      try({ text, value, name }) {
        let parsed: unknown;
        try {
          parsed = parseJsonc(text);
        } catch (error) {
          ok(error instanceof SyntaxError, String(error));
        }
        Deno.writeTextFileSync(`${dir}/agentd.json`, text);
        const read = (env: (name: string) => string | undefined) =>
          mistyped(() => readSettings({ home, env, names: [], flags: {} }));
        const found = read(() => undefined);
        if (found) {
          ok(typeof parsed === "object" && parsed !== null);
          equal(typeof found.settings.listen, "string");
          mistyped(() => parseListen(found.settings.listen, "/"));
          refusing(() => declaredHooks(found.settings.hooks), "invalid_request");
        }
        read(env(name, value));
        mistyped(() => parseListen(value, "/"));
      },
      end: () => Deno.remove(dir, { recursive: true }),
    };
  },
};
