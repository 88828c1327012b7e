import { deepEqual, equal } from "../assert.ts";
import { holderOfPort, listeners } from "../../src/cli/port_holder.ts";

/** As the kernel prints it. */
const TABLE =
  `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000000000000000 20 4 30 10 -1
   2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0000000000000000 100 0 0 10 0
`;

Deno.test("who listens, and not who is connected", () => {
  deepEqual(listeners(TABLE, 8080), ["4711"]);
  deepEqual(listeners(TABLE, 8081), ["4713"]);
  deepEqual(listeners(TABLE, 80), []);
});

Deno.test({
  name: "the process that holds a port is found",
  ignore: Deno.build.os !== "linux",
  fn() {
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    equal(holderOfPort(port)?.pid, Deno.pid);
    listener.close();
    equal(holderOfPort(port), undefined);
  },
});
