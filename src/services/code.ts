/** `/code`: the module that an agent runs; writing another one deploys it. */
import { decodeText } from "../core/code.ts";
import { key } from "../core/keys.ts";
import type { ServiceFactory } from "../core/view.ts";
import { file, refusal, tree } from "../fs/tree.ts";
import { MAX_CODE_BYTES } from "../core/deploy.ts";
import { changesOf } from "./common/changes.ts";

export const code: ServiceFactory = (view) => {
  async function deploy(data: Uint8Array) {
    const source = decodeText(data);
    if (source.includes("\uFFFD")) throw refusal("invalid_request", "a module is UTF-8 text");
    return await view.deploy(source);
  }
  return tree(
    file({
      kind: "value",
      type: "text/javascript",
      about: "the agent's bundled module; a write or a call deploys another one, a call answers " +
        "{ code_digest, version, before }",
      maxBytes: MAX_CODE_BYTES,
      only: { write: ["operator"], call: ["operator"] },
      async stat() {
        // A built-in agent has none to read, and the file stands all the same: it is listed, and a write deploys.
        const size = (await view.code())?.length ?? 0;
        return { size, version: view.codeDigest().slice(0, 16) };
      },
      read: async () => await view.code() ?? "",
      write: async (data) => void await deploy(data),
      call: async (request) => JSON.stringify(await deploy(request)),
      watch: ({ signal }) => changesOf(view.rows, key.code, signal),
    }),
    view.viewer,
  );
};
