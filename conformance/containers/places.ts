/** Laws of files: byte for byte in both directions, none outside of the work directory, and artifacts that stay. */
import { digest } from "../../src/core/code.ts";
import {
  appendText,
  readBytes,
  readJson,
  readText,
  writeBytes,
  writeText,
} from "../../src/fs/use.ts";
import { refuses, same } from "../expect.ts";
import {
  begin,
  type ContainerLaw,
  ctl,
  exec,
  execResult,
  fileIn,
  interactive,
  resultOf,
  statusOf,
  until,
} from "./subject.ts";

const CHUNK_BYTES = 1024 * 1024;
const NAMES = ["a b", `it's "so"`, "grün/tief/x", "$(touch y)", "-rf", "*"];

/** All values of a byte, and more than one chunk of them. */
function manyBytes(): Uint8Array {
  return Uint8Array.from({ length: CHUNK_BYTES + 300 }, (_, n) => (n * 7 + (n >> 8)) & 255);
}

export const placeLaws: readonly ContainerLaw[] = [
  {
    id: "X18",
    name: "files_are_byte_for_byte",
    says: "what is written to a running session's files is what its commands read and what is " +
      "read back, whole, in parts and in chunks, by any name; and the other way round",
    async test(subject) {
      const { files } = subject;
      const session = await interactive(subject, { files: { "from/request": "asked" } });
      const at = (path: string) => fileIn(session, path);
      for (const name of NAMES) {
        await writeText(files, at(name), name);
        same(await readText(files, at(name)), name, "what is read back");
        const told = await exec(subject, session, { command: subject.command([{ tell: name }]) });
        await until(subject, told);
        same((await execResult(subject, told)).stdout, name, "what a command reads");
      }
      const top = [...NAMES.map((name) => name.split("/")[0]!), "from"].sort();
      same((await files.list(at(""))).map(({ name }) => name), top, "what is listed");
      same(await readText(files, at("from/request")), "asked", "a file of the request");
      const kept = subject.command([{ keep: "by/command", text: "kept\n" }]);
      await until(subject, await exec(subject, session, { command: kept }));
      same(await readText(files, at("by/command")), "kept\n", "what a command writes");
      const bytes = manyBytes();
      await writeBytes(files, at("many"), bytes);
      same(digest(await readBytes(files, at("many"))), digest(bytes), "many bytes");
      const part = await readBytes(files, at("many"), { offset: 1_000, length: 300 });
      same([...part], [...bytes.subarray(1_000, 1_300)], "a part of them");
      const chunk = await readBytes(files, at("many/chunks/1"));
      same([...chunk], [...bytes.subarray(CHUNK_BYTES)], "a chunk of them");
      const { size_bytes, chunks } = await readJson<Record<string, unknown>>(
        files,
        at("many/meta"),
      );
      same([size_bytes, chunks], [bytes.length, 2], "what is told of it");
      await appendText(files, at("by/command"), "more");
      same(await readText(files, at("by/command")), "kept\nmore", "what is appended");
      await files.remove(at("by/command"));
      await refuses("not_found", () => readText(files, at("by/command")), "what was removed");
      await ctl(subject, session, "stop");
    },
  },
  {
    id: "X19",
    name: "no_path_leads_out",
    says: "neither a path with `..`, nor one from the root, nor a link that a command has made " +
      "leads out of the work directory, to read, to write, to remove or to run something there; " +
      "a link is removed itself",
    async test(subject) {
      const { files } = subject;
      const session = await interactive(subject);
      const at = (path: string) => fileIn(session, path);
      for (const path of ["../x", "a/../../x", "..", "./x", "a//b"]) {
        await refuses("invalid_path", () => readText(files, at(path)), `read ${path}`);
        await refuses("invalid_path", () => writeText(files, at(path), "x"), `write ${path}`);
      }
      const command = subject.command([{ say: "x" }]);
      for (const workdir of ["..", "/etc", "a/../.."]) {
        const run = () => exec(subject, session, { command, workdir });
        await refuses("invalid_path", run, `a command in ${workdir}`);
      }
      const links = subject.command([
        { link: "passwd", to: "/etc/passwd" },
        { link: "etc", to: "/etc" },
        { link: "up", to: ".." },
      ]);
      const made = await exec(subject, session, { command: links });
      await until(subject, made);
      same((await execResult(subject, made)).exit_code, 0, "the links are made");
      for (const path of ["passwd", "etc/passwd", "up/etc/passwd"]) {
        await refuses("permission_denied", () => readText(files, at(path)), `read ${path}`);
        await refuses("permission_denied", () => writeText(files, at(path), "x"), `write ${path}`);
      }
      await refuses("permission_denied", () => files.remove(at("etc/passwd")), "remove etc/passwd");
      for (const path of ["passwd", "etc", "up"]) await files.remove(at(path));
      await refuses("not_found", () => readText(files, at("passwd")), "a link that was removed");
      await refuses("not_found", () => files.remove(at("etc")), "what is not there");
      await ctl(subject, session, "stop");
    },
  },
  {
    id: "X20",
    name: "artifacts_outlast_it",
    says: "files that a pattern of the request means are kept with their size and hash, and read " +
      "as before once the session has ended; others are gone, and nothing is written there",
    async test(subject) {
      const { files } = subject;
      const session = await begin(subject, {
        kind: "build",
        commands: [
          subject.command([
            { keep: "out/a b.txt", text: "kept" },
            { keep: "out/deep/er.bin", text: "grün" },
            { keep: "other.txt", text: "not" },
          ]),
        ],
        artifacts: ["out/**"],
      });
      await until(subject, session);
      const { status, error } = await statusOf(subject, session);
      same([status, error], ["complete", null], "its end");
      const want = [["out/a b.txt", "kept"], ["out/deep/er.bin", "grün"]] as const;
      const { artifacts } = await resultOf(subject, session);
      same(
        artifacts,
        want.map(([path, text]) => ({
          path,
          size_bytes: new TextEncoder().encode(text).length,
          sha256: digest(text),
        })),
        "what is told of them",
      );
      for (const [path, text] of want) {
        same(await readText(files, fileIn(session, path)), text, path);
      }
      same((await files.list(fileIn(session, ""))).map(({ name }) => name), ["out"], "the files");
      const other = fileIn(session, "other.txt");
      await refuses("not_found", () => readText(files, other), "a file that was not meant");
      const [path] = want[0];
      const write = () => writeText(files, fileIn(session, path), "x");
      await refuses("not_ready", write, "what has ended");
    },
  },
];
