/** `agentd doctor`: where each setting came from, what there is and what is not, and what to do about it. */
import { type Action, type Call, printJson } from "./call.ts";
import { lookAtContainers } from "./doctor/containers.ts";
import { lookAtData } from "./doctor/data.ts";
import { groupLines } from "./doctor/finding.ts";
import { lookAtMachine } from "./doctor/machine.ts";
import { lookAtModels } from "./doctor/models.ts";
import { lookAtServer } from "./doctor/server.ts";
import { lookAtSettings } from "./doctor/settings.ts";
import { EXIT, trouble } from "./exit.ts";
import type { Home } from "./home.ts";
import { type Seen, seeServer } from "./note.ts";
import { count } from "./print.ts";

/** Ends with 1 if something is broken; what is merely not there is no fault. */
export const doctor: Action = async (call) => {
  const home = call.home();
  const seen = seenIn(home);
  const { group: settings, found } = lookAtSettings(call, home);
  const done = call.terminal.progress("looking");
  const groups = await Promise.all([
    settings,
    lookAtData(call, home, seen),
    lookAtServer(call, home, seen, found),
    lookAtMachine(call, home),
    lookAtModels(call, home, found),
    lookAtContainers(call, found),
  ]).finally(done);
  const findings = groups.flatMap(({ title, findings }) =>
    findings.map((finding) => ({ group: title, ...finding }))
  );
  const broken = findings.filter(({ state }) => state === "broken").length;
  if (call.json) printJson(call, { ok: broken === 0, findings });
  else show(call, groups);
  if (broken > 0) throw trouble(EXIT.failed, `${count(broken, "thing")} to mend: see ✗ above`);
};

function show(call: Call, groups: Parameters<typeof groupLines>[0]): void {
  for (const line of groupLines(groups, call.terminal.paint)) call.terminal.print(line);
}

/** Undefined where this program may not look, or cannot. */
function seenIn(home: Home): Seen | undefined {
  try {
    return seeServer(home);
  } catch {
    // It is looked at again, and then told.
  }
}
