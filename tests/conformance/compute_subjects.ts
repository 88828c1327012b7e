/** The worlds of this machine in which the laws of `/compute` are tried: rows in memory, and the same seen by a client over a socket. */
import { type ComputeSubject, MODEL, repeater } from "../../conformance/compute.ts";
import type { Subject } from "../../conformance/law.ts";
import { memoryCompute } from "../../conformance/memory.ts";
import { createAgentd } from "../../src/agentd.ts";
import { memoryBackend } from "../../src/backends/memory.ts";
import { digest } from "../../src/core/code.ts";
import { agentId } from "../../src/core/id.ts";
import { createApp } from "../../src/http/app.ts";
import { connect } from "../../src/http/client.ts";
import { memorySigner } from "../../src/providers/signer/memory.ts";
import { serve, TOKEN } from "../http/served.ts";
import { realTime } from "./http_subjects.ts";

const overSocket: Subject<ComputeSubject> = {
  name: "http client",
  async open() {
    const errors: unknown[] = [];
    const report = (error: unknown) => void errors.push(error);
    const runtime = await createAgentd({
      backend: memoryBackend(realTime),
      signer: memorySigner(),
      compute: repeater,
      onError: report,
    });
    const stopping = new AbortController();
    const server = serve(createApp({
      runtime,
      auth: { tokenDigest: digest(TOKEN) },
      clock: realTime,
      stopping: stopping.signal,
      report,
    }));
    const client = connect({ url: server.url, token: TOKEN });
    for (const id of ["a", "b"]) await runtime.create({ id: agentId(id), agent: "echo" });
    return {
      subject: {
        files: client.files(agentId("a")),
        other: client.files(agentId("b")),
        model: MODEL,
      },
      async close() {
        stopping.abort();
        await runtime.stop(1000);
        await server.close();
        if (errors.length > 0) throw errors[0];
      },
    };
  },
};

export const computeSubjects: readonly Subject<ComputeSubject>[] = [memoryCompute(), overSocket];
