/** From source the program runs with the permissions that deno.json names: they are enough, nobody is asked for more, and none of them is too many. */
import { deepEqual, equal, match, ok } from "../assert.ts";
import { MISSING_DOCKER } from "../docker/engine.ts";
import { needs } from "../needs.ts";
import { BINARY, FLAGS } from "./program.ts";
import { inPlace, type Place } from "./server.ts";

/** `--allow-env=A,B` is `env=A` and `env=B`; the places of one program are one. */
function units(flags: readonly string[]): string[] {
  const all = flags.filter((flag) => flag.startsWith("--allow-")).flatMap((flag) => {
    const [name, list] = flag.slice("--allow-".length).split("=");
    return list === undefined ? [name!] : list.split(",").map((each) => `${name}=${nameOf(each)}`);
  });
  return [...new Set(all)];
}

/** `/usr/bin/docker` and `/usr/local/bin/docker` are both `docker`. */
function nameOf(value: string): string {
  return value.endsWith("/docker") ? "docker" : value;
}

function without(unit: string): string[] {
  const [name, value] = unit.split("=");
  return FLAGS.flatMap((flag) => {
    if (flag === `--allow-${name}`) return [];
    if (value === undefined || !flag.startsWith(`--allow-${name}=`)) return [flag];
    const rest = flag.slice(flag.indexOf("=") + 1).split(",").filter((each) =>
      nameOf(each) !== value
    );
    return rest.length === 0 ? [] : [`--allow-${name}=${rest.join(",")}`];
  });
}

const AGENT =
  "export default { name: 'up', onTrigger: (ctx, t) => ctx.reply(t.text.toUpperCase()) };";
const COLOUR = "\x1b[";
const ANY = ["--listen", "127.0.0.1:0"];

/** Of this machine, on a network. */
const ADDRESS = Deno.networkInterfaces()
  .find(({ family, address }) => family === "IPv4" && !address.startsWith("127."))?.address;

/** What a permission is for: true where it works. */
type Use = (place: Place, flags: readonly string[]) => Promise<boolean>;

const serves: Use = async (place, flags) => {
  const running = place.start(["serve", "--home", "data", ...ANY], { flags });
  const served = await running.line(/^agentd /).then(() => true, () => false);
  running.kill("SIGTERM");
  await running.ended;
  return served;
};

/** A client in an empty folder, with one variable: does it know by it where the data directory is? */
function findsHome(name: string, below: string): Use {
  return async (place, flags) => {
    const options = { flags, env: { [name]: `${place.dir}/x` } };
    const { err } = await place.run(["list"], options);
    return err.includes(`No server is running in ./x${below}`);
  };
}

const USES: Readonly<Record<string, Use>> = {
  "net": serves,
  "read": serves,
  "write": serves,
  "env=AGENTD_*": findsHome("AGENTD_HOME", ""),
  "env=HOME": findsHome("HOME", "/.local/share/agentd"),
  "env=XDG_DATA_HOME": findsHome("XDG_DATA_HOME", "/agentd"),
  "env=TERM": async (place, flags) => {
    const options = { flags, env: { TERM: "dumb" }, terminal: true };
    const { code, out } = await place.run(["version"], options);
    return code === 0 && !out.includes(COLOUR);
  },
  // Who holds a directory that several machines see is told by the machine's name too.
  "sys=hostname": async (place, flags) => {
    const served = await place.serve(["serve", "--home", "data", ...ANY], { flags });
    const { host } = JSON.parse(Deno.readTextFileSync(`${place.dir}/data/agentd.lock`));
    await served.stop();
    return host === Deno.hostname();
  },
  // A server for every network answers to each of its addresses, and to no other name.
  "sys=networkInterfaces": async (place, flags) => {
    const served = await place.serve(["serve", "--home", "data", "--listen", "0.0.0.0:0"], {
      flags,
    });
    const port = Number(new URL(served.url).port);
    const [own, other] = [await statusFor(port, ADDRESS!), await statusFor(port, "192.0.2.1")];
    await served.stop();
    equal(other, "403");
    return own === "200";
  },
  // A disk that is nearly full is seen before it is.
  "sys=statfs": async (place, flags) => {
    await (await place.serve()).stop();
    const { out } = await place.run(["doctor", "--json"], { flags });
    return JSON.parse(out).findings.some((one: { name: string; state: string }) =>
      one.name === "free space" && one.state === "ok"
    );
  },
  "run=/proc/self/exe": async (place, flags) => {
    Deno.writeTextFileSync(`${place.dir}/up.js`, AGENT);
    return (await place.run(["run", "./up.js", "hi"], { flags })).out === "HI\n";
  },
  "run=docker": looksAtDocker,
};

/** Docker's client is found by PATH. */
async function looksAtDocker(place: Place, flags: readonly string[]): Promise<boolean> {
  const env = {
    HOME: place.dir,
    PATH: Deno.env.get("PATH") ?? "",
    AGENTD_LISTEN: "127.0.0.1:0",
  };
  const { out } = await place.run(["doctor", "--json"], { flags, env });
  const { state } = JSON.parse(out).findings.find((one: { name: string }) => one.name === "Docker");
  return state === "ok";
}

async function statusFor(port: number, host: string): Promise<string> {
  const connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const request = `GET /healthz HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(request));
  return (await new Response(connection.readable).text()).slice(9, 12);
}

const LINUX = Deno.build.os === "linux"
  ? undefined
  : "Linux alone has a name for the program that runs";
/** What the use of a permission needs of the machine. */
const LACKING: Readonly<Record<string, string | undefined>> = {
  "sys=networkInterfaces": ADDRESS === undefined ? "this machine is on no network" : undefined,
  "run=docker": MISSING_DOCKER,
};

function fromSource(name: string, fn: () => void | Promise<void>, missing = LINUX): void {
  if (BINARY === undefined) needs(missing)(name, fn);
}

fromSource("every permission that is named is for something that is tried here", () => {
  deepEqual(units(FLAGS).sort(), Object.keys(USES).sort());
  equal(units(without("env=TERM")).length, units(FLAGS).length - 1);
});

for (const [unit, works] of Object.entries(USES)) {
  const tried = async () => {
    await inPlace(async (place) => equal(await works(place, FLAGS), true));
    await inPlace(async (place) => equal(await works(place, without(unit)), false));
  };
  const missing = LINUX ?? LACKING[unit];
  fromSource(`with --allow-${unit} it works, and without it does not`, tried, missing);
}

fromSource("at a terminal too nobody is asked for a permission", async () => {
  await inPlace(async (place) => {
    // The task says --no-prompt; without it Deno would ask for what is missing.
    const asking = FLAGS.filter((flag) => flag !== "--no-prompt");
    ok(asking.length < FLAGS.length);
    const served = place.start(["dev", ...ANY], { flags: asking, terminal: true });
    await served.line(/abc \(echo\)/);
    equal((await place.run(["send", "abc", "hi", "--wait"])).out, "hi\n");
    Deno.kill(Number(Deno.readTextFileSync(`${place.dir}/.agentd/pid`)), "SIGTERM");
    const { out } = await served.ended;
    equal(/ requests /.test(out), false, out);
    // So it would look: this shows that the terminal is one.
    const unread = asking.filter((flag) => !flag.startsWith("--allow-read"));
    const asked = place.start(["list"], { flags: unread, terminal: true });
    match(await asked.line(/ requests /), /read access/);
    asked.kill("SIGTERM");
    await asked.ended;
  });
});
