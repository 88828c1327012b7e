/** Power cuts on a small recording; `deno task powercut` tries thousands. */
import { deepEqual, ok, throws } from "../assert.ts";
import { needs } from "../needs.ts";
import { chanceOf } from "../sim/chance.ts";
import { makeDisk, SECTOR_BYTES } from "./disk.ts";
import { cutPower, MISSING_RECORDER, record } from "./power_cut.ts";
import { type Op, readRecording } from "./recording.ts";

const test = needs(MISSING_RECORDER);
const DIR = "/data";

const hex = (text: string) =>
  [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`)
    .join("");
const ofFile = (name: string) => `7<${hex(`${DIR}/${name}`)}>`;

test("whatever a power cut leaves of what was not flushed opens, is whole, and has all that was said", async () => {
  const ops = await record(25, 1);
  const { images, acknowledged, faults } = await cutPower(ops, 60, 1);
  deepEqual(faults, []);
  ok(images > 40 && acknowledged > 0);
  // A database that is never flushed is found out.
  const careless = ops.filter(({ op }) => op !== "sync");
  ok((await cutPower(careless, 40, 1)).faults.length > 0, "what is not flushed is lost");
});

test("the very first opening of a directory survives a cut at each of its calls", async () => {
  const ops = await record(1, 2);
  const first = ops.slice(0, ops.findIndex(({ op }) => op === "said") + 1);
  const { faults } = await cutPower(first, 120, 2);
  deepEqual(faults, []);
});

Deno.test("a recording is read as the calls took effect, whichever thread made them", () => {
  const text = [
    `1 openat(AT_FDCWD<${hex("/")}>, "${hex(`${DIR}/agentd.db`)}", O_RDWR|O_CREAT, 0600) = ${
      ofFile("agentd.db")
    }`,
    `1 openat(AT_FDCWD<${hex("/")}>, "${hex(`${DIR}/agentd.db-wal`)}", O_RDONLY) = -1 ENOENT (no)`,
    `2 fdatasync(${ofFile("agentd.db")} <unfinished ...>`,
    `1 pwrite64(${ofFile("agentd.db")}, "${hex("abc")}", 3, 512) = 3`,
    `1 write(1<${hex("pipe:[1]")}>, "${hex("taken m1\n")}", 9 <unfinished ...>`,
    `2 <... fdatasync resumed>) = 0`,
    `1 <... write resumed>) = 9`,
    `1 pwrite64(${ofFile("agentd.db-shm")}, "${hex("x")}", 1, 0) = 1`,
    `1 ftruncate(${ofFile("agentd.db")}, 0) = 0`,
    `1 unlink("${hex(`${DIR}/agentd.db`)}") = 0`,
    `1 fsync(7<${hex(DIR)}>) = 0`,
    `1 +++ exited with 0 +++`,
  ].join("\n");
  const bytes = new TextEncoder().encode("abc");
  deepEqual(
    readRecording(text, DIR),
    [
      { op: "create", file: "agentd.db" },
      { op: "write", file: "agentd.db", at: 512, bytes },
      { op: "said", line: "taken m1" },
      { op: "sync", file: "agentd.db" },
      { op: "truncate", file: "agentd.db", size: 0 },
      { op: "remove", file: "agentd.db" },
      { op: "sync_dir" },
    ] satisfies Op[],
  );
  throws(() => readRecording(text.replace(hex("abc"), hex("ab")), DIR));
});

Deno.test("a disk keeps what was flushed, and of the rest whole sectors", () => {
  const disk = makeDisk();
  const chance = chanceOf(1);
  const write = (at: number, size: number, byte: number): Op => ({
    op: "write",
    file: "agentd.db",
    at,
    bytes: new Uint8Array(size).fill(byte),
  });
  disk.take({ op: "create", file: "agentd.db" });
  deepEqual([...disk.image("lost", chance).keys()], [], "a name that was not flushed");
  disk.take({ op: "sync_dir" });
  disk.take(write(0, 2 * SECTOR_BYTES, 1));
  disk.take({ op: "sync", file: "agentd.db" });
  disk.take(write(100, 3 * SECTOR_BYTES, 2));
  const found = (way: "lost" | "kept" | "cut" | "scattered") =>
    disk.image(way, chance).get("agentd.db")!;
  deepEqual(found("lost"), new Uint8Array(2 * SECTOR_BYTES).fill(1));
  deepEqual(found("kept").length, 100 + 3 * SECTOR_BYTES);
  for (let n = 0; n < 50; n++) {
    const torn = found("cut");
    const end = torn.lastIndexOf(2) + 1;
    ok(end === 0 || end % SECTOR_BYTES === 0, `torn at ${end}`);
    const scattered = found("scattered");
    for (let at = SECTOR_BYTES; at < scattered.length; at += SECTOR_BYTES) {
      const sector = scattered.subarray(at, Math.min(at + SECTOR_BYTES, scattered.length));
      ok(sector.every((byte) => byte === sector[0]), `the sector at ${at}`);
    }
  }
});
