/** A program of narrow permissions: it tells what it may mount, and what it reads through that. One JSON line for each mount it is given. */
import { localDirectories } from "../../../src/providers/directory/provider.ts";
import { readText } from "../../../src/fs/use.ts";

const provider = localDirectories();
for (const argument of Deno.args) {
  const [path, access] = argument.split("=") as [string, "read_only" | "read_write"];
  try {
    const mount = await provider.check({ type: "dir", path, access });
    const directory = provider.open(mount);
    const text = await readText(directory.files, "/f");
    await directory.close();
    console.log(JSON.stringify({ path: mount.path, text }));
  } catch (error) {
    const { code, detail } = error as { code?: string; detail?: string };
    console.log(JSON.stringify({ code, detail: detail ?? String(error) }));
  }
}
