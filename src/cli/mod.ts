/** The verb table: every command with its arguments, options and examples, and the file that runs it, loaded when it is called. */
import { jsonText, type VerbSpec, wholeNumber } from "./args.ts";
import type { Action } from "./call.ts";
import { AUTONOMIES } from "../core/autonomy.ts";
import { CANS } from "../core/tokens.ts";
import { SCHEMES } from "../http/hooks/schemes.ts";
import { readAmount, readBudget, readDaily } from "./amounts.ts";
import { readSpan } from "./span.ts";
import { usage } from "./exit.ts";
import { COMPLETE_VERB, SCRIPTS } from "./completion_scripts.ts";
import { WATCH_VERB } from "./watching.ts";

export interface Verb extends VerbSpec {
  /** It runs a server or an agent itself instead of asking one; `agentctl` has it not. */
  readonly local?: boolean;
  /** It lasts until it is told to stop, and then it is done. */
  readonly lasting?: boolean;
  /** It says itself what Ctrl-C does. */
  readonly ownInterrupt?: boolean;
  load(): Promise<Action>;
}

const SERVER = "Server:";
const AGENTS = "Agents:";
const TALK = "Messages:";
const FILES = "Files of an agent:";
const KEEP = "Keep and share:";
const ABOUT = "About:";

const LISTENING = [
  { flags: "--listen <address>", about: "127.0.0.1:8080, or unix:PATH" },
  { flags: "--require-token", about: "ask for the token on this machine too" },
  { flags: "--allow-host <name>", about: "a host name to answer to (repeatable)", many: true },
  {
    flags: "--model-server <url>",
    about: "an OpenAI-compatible server, beside those found on this machine (repeatable)",
    many: true,
  },
  {
    flags: "--grace-ms <ms>",
    about: "how long running ticks may go on at a stop",
    read: wholeNumber(0),
  },
];
const FORCE = { flags: "--force", about: "in place of a file that is there" };
const TYPE = { flags: "--type <media-type>", about: "what the bytes are, e.g. application/json" };
const WHOSE = { flags: "--agent <id>", about: "who asks (whoever does)" };
const AFTER = {
  flags: "--after <seq>",
  about: "only events behind this number",
  read: wholeNumber(0),
};

export const VERBS: readonly Verb[] = [
  {
    name: "dev",
    args: "",
    about: "serve in ./.agentd, with a demo agent when there is none",
    group: SERVER,
    options: LISTENING,
    examples: [["dev", ""], ["dev --listen 127.0.0.1:8081", "another port"]],
    local: true,
    lasting: true,
    load: async () => (await import("./serve.ts")).dev,
  },
  {
    name: "serve",
    args: "",
    about: "run the server",
    group: SERVER,
    options: LISTENING,
    examples: [
      ["serve", ""],
      ["serve --home /var/lib/agentd", "its data directory"],
      ["serve --listen unix:/run/agentd.sock", "a socket only you can open"],
      ["serve --listen 0.0.0.0:8080 --require-token --allow-host my.host", "on the network"],
    ],
    local: true,
    lasting: true,
    load: async () => (await import("./serve.ts")).serve,
  },
  {
    name: "run",
    args: "<agent> [message...]",
    about: "one message to a new agent in memory; print its reply",
    group: SERVER,
    examples: [["run echo hello", ""], ["run bot/agent.ts 'remember milk'", "code of yours"]],
    local: true,
    load: async () => (await import("./run.ts")).run,
  },
  {
    name: "init",
    args: "<dir>",
    about: "write an agent to begin with: its code, types and test",
    group: AGENTS,
    examples: [["init bot", "then: create bot bot/agent.ts"]],
    load: async () => (await import("./init.ts")).init,
  },
  {
    name: "create",
    args: "<id> <agent>",
    about: "make an agent from a built-in or a file",
    group: AGENTS,
    options: [
      { flags: "--name <name>", about: "a name for people" },
      {
        flags: "--config <json>",
        about: "what the agent reads as ctx.agent.config",
        read: jsonText,
      },
      { flags: "--prompt <text>", about: "what an assistant is there for" },
      { flags: "--model <name>", about: "the model that an assistant or a coder asks" },
      { flags: "--image <name>", about: "where a coder tries its programs, e.g. python:3.13-slim" },
      { flags: "--language <name>", about: "what a coder writes (python)" },
      {
        flags: "--max-steps <n>",
        about: "model calls of an assistant for one answer (20)",
        read: wholeNumber(1),
      },
      { flags: "--goal <text>", about: "a first goal (repeatable)", many: true },
      {
        flags: "--mount <path=access>",
        about: "access of a mount, e.g. /kv=read_only (repeatable)",
        many: true,
        read: readMount,
      },
      { flags: "--limits <json>", about: 'limits, e.g. {"max_tick_ms":5000}', read: jsonText },
      {
        flags: "--budget <amount>",
        about: "what it may spend: '$1/day', or of one mount '/compute=$1/day' (repeatable)",
        many: true,
        read: readBudget,
      },
      {
        flags: "--autonomy <preset>",
        about: "supervised: whatever it does or buys waits for your yes; semi: signing, and " +
          "what costs more than $0.10, does; autonomous: its budgets alone hold it",
        choices: AUTONOMIES,
      },
    ],
    examples: [
      ["create bob counter", ""],
      ['create helper assistant --prompt "You keep my notes." --model llama3.2', "no code"],
      ["create coder coder --model qwen2.5-coder --language python", "code and its proof"],
      ["create ann echo --name Ann --goal 'answer politely'", ""],
      ["create eve assistant --autonomy semi --budget '$1/day'", "asks before it spends much"],
      ['create bot bot/agent.ts --config \'{"lang":"en"}\'', "code of yours"],
    ],
    load: async () => (await import("./create.ts")).create,
  },
  {
    name: "deploy",
    args: "<id> <file>",
    about: "give an agent other code; its state is kept",
    group: AGENTS,
    examples: [["deploy bot bot/agent.ts", ""]],
    load: async () => (await import("./deploy.ts")).deploy,
  },
  {
    name: "mounts",
    args: "<id> [word] [path] [access]",
    about: "what an agent has and may do there: list, set, remove",
    words: ["list", "set", "remove"],
    group: AGENTS,
    options: [
      { flags: "--dir <dir>", about: "mount this directory of the server's machine" },
      {
        flags: "--hide <names>",
        about: "names in it that are not there, e.g. .env* (repeatable)",
        many: true,
      },
    ],
    examples: [
      ["mounts bob", ""],
      ["mounts bob set /files read_only", ""],
      ["mounts bob set /repo read_write --dir ./repo", "a directory"],
      ["mounts bob remove /kv", ""],
    ],
    load: async () => (await import("./mounts.ts")).mounts,
  },
  {
    name: "budget",
    args: "<id>",
    about: "what an agent may spend and has spent",
    group: AGENTS,
    options: [
      {
        flags: "--set <amount>",
        about: "what it may spend a UTC day, e.g. '$1/day'; none takes the budget away",
        read: readDaily,
      },
      { flags: "--mount <path>", about: "of one mount, e.g. /compute (all that it does)" },
      {
        flags: "--per-tick <amount>",
        about: "at most so much in one tick, or none",
        read: readAmount,
      },
      {
        flags: "--approve-above <amount>",
        about: "what costs more waits for a person's yes, or none",
        read: readAmount,
      },
    ],
    examples: [
      ["budget bob", ""],
      ["budget bob --set '$1/day'", ""],
      ["budget bob --set '$5/day' --mount /compute --per-tick '$0.05'", ""],
      ["budget bob --approve-above '$0.10'", "then: approvals"],
      ["budget bob --set none", "it may spend nothing"],
    ],
    load: async () => (await import("./budget.ts")).budget,
  },
  {
    name: "approvals",
    args: "[id]",
    about: "what agents ask of you",
    group: AGENTS,
    examples: [
      ["approvals", "of all agents"],
      ["approvals bob", ""],
      ["approvals --json", "each with its whole request"],
    ],
    load: async () => (await import("./approvals.ts")).approvals,
  },
  {
    name: "approve",
    args: "<approval>",
    about: "say yes: what was asked may pass once",
    group: AGENTS,
    options: [WHOSE],
    examples: [["approve apr_0198f3c2-7f51-7cc1-9a2b-3d5e7f9a1b2c", ""]],
    load: async () => (await import("./approvals.ts")).decide("approve"),
  },
  {
    name: "deny",
    args: "<approval>",
    about: "say no",
    group: AGENTS,
    options: [WHOSE],
    examples: [["deny apr_0198f3c2-7f51-7cc1-9a2b-3d5e7f9a1b2c", ""]],
    load: async () => (await import("./approvals.ts")).decide("deny"),
  },
  {
    name: "list",
    args: "",
    about: "the agents",
    group: AGENTS,
    options: [{
      flags: "--state <state>",
      about: "only those in this state",
      choices: ["creating", "active", "dormant", "paused", "failed", "terminated"],
    }],
    examples: [["list", ""], ["list --state failed", ""], ["list --json", "for machines"]],
    load: async () => (await import("./agent.ts")).list,
  },
  {
    name: "status",
    args: "[id]",
    about: "an agent, or the server",
    group: AGENTS,
    examples: [["status", "the server"], ["status bob", ""]],
    load: async () => (await import("./agent.ts")).status,
  },
  {
    name: "delete",
    args: "<id>",
    about: "end an agent and remove all that it has",
    group: AGENTS,
    examples: [["delete bob", "there is no way back"]],
    load: async () => (await import("./agent.ts")).remove,
  },
  {
    name: "hibernate",
    args: "<id>",
    about: "let an agent sleep until something comes",
    group: AGENTS,
    examples: [["hibernate bob", ""]],
    load: async () => (await import("./agent.ts")).control("hibernate"),
  },
  {
    name: "wake",
    args: "<id>",
    about: "wake an agent",
    group: AGENTS,
    examples: [["wake bob", ""]],
    load: async () => (await import("./agent.ts")).control("wake"),
  },
  {
    name: "pause",
    args: "[id]",
    about: "let an agent, or all, take messages and tick none",
    group: AGENTS,
    options: [{ flags: "--all", about: "all agents" }],
    examples: [["pause bob", ""], ["pause --all", ""]],
    load: async () => (await import("./agent.ts")).controlAll("pause"),
  },
  {
    name: "resume",
    args: "[id]",
    about: "let an agent, or all, tick again",
    group: AGENTS,
    options: [{ flags: "--all", about: "all agents" }],
    examples: [["resume bob", "also one that has failed"], ["resume --all", ""]],
    load: async () => (await import("./agent.ts")).controlAll("resume"),
  },
  {
    name: "send",
    args: "<id> [message...]",
    about: "a message to an agent",
    group: TALK,
    options: [
      { flags: "-w, --wait", about: "wait for its replies and print them" },
      { flags: "--timeout <seconds>", about: "how long to wait (60)", read: wholeNumber(1) },
      { flags: "--data <json>", about: "JSON in place of a text", read: jsonText },
      { flags: "--id <envelope-id>", about: "sent twice under one id, it counts once" },
    ],
    examples: [
      ['send bob "remember milk" --wait', ""],
      ["send bob --data '{\"alarm\":500}'", "JSON"],
      ["send bob - < letter.txt", "from standard input"],
      ['send bob "pay" --id invoice-7', "safe to repeat"],
    ],
    load: async () => (await import("./send.ts")).send,
  },
  {
    name: "chat",
    args: "<id> [message...]",
    about: "talk with an agent: words, files and cost as they come",
    group: TALK,
    examples: [
      ["chat helper", "Ctrl-C ends the model call, a second one the chat"],
      ['chat helper "what is in my notes?"', "one message, one answer"],
      ["chat helper < questions.txt", "one message a line"],
    ],
    ownInterrupt: true,
    load: async () => (await import("./chat.ts")).chat,
  },
  {
    name: "tick",
    args: "<id>",
    about: "one tick now, and how it went",
    group: TALK,
    examples: [["tick bob", ""], ["tick bob --json", "the whole result"]],
    load: async () => (await import("./agent.ts")).tick,
  },
  {
    name: "logs",
    args: "<id>",
    about: "what an agent does",
    group: TALK,
    options: [
      { flags: "-f, --follow", about: "go on as it happens" },
      { flags: "-n, --tail <n>", about: "begin with the last so many (20)", read: wholeNumber(0) },
      AFTER,
    ],
    examples: [["logs bob --follow", ""], ["logs bob --tail 500 --json", "NDJSON"]],
    load: async () => (await import("./logs.ts")).logs,
  },
  {
    name: "goals",
    args: "<id> [word] [what...]",
    about: "an agent's goals: list, add, progress, done, drop, rm",
    words: ["list", "add", "progress", "done", "drop", "rm"],
    group: TALK,
    examples: [
      ["goals bob", ""],
      ['goals bob add "learn to count"', ""],
      ["goals bob progress g1 0.5", "halfway"],
      ["goals bob done g1", ""],
      ["goals bob drop g1", "give it up"],
      ["goals bob rm g1", ""],
    ],
    load: async () => (await import("./goals.ts")).goals,
  },
  {
    name: "deadletter",
    args: "<id> [word] [letter]",
    about: "messages that were given up: list, show, replay, discard",
    words: ["list", "show", "replay", "discard"],
    group: TALK,
    options: [{ flags: "--fresh", about: "replay without its recorded calls" }],
    examples: [
      ["deadletter bob", ""],
      ["deadletter bob show env_01", "with its errors"],
      ["deadletter bob replay all", "back into the inbox"],
      ["deadletter bob discard env_01", ""],
    ],
    load: async () => (await import("./deadletter.ts")).deadletter,
  },
  {
    name: "ls",
    args: "[path]",
    about: "what is in a directory of an agent",
    group: FILES,
    options: [{ flags: "-l, --long", about: "sizes and times in a pipe too" }],
    examples: [["ls", "the agents"], ["ls bob/", ""], ["ls bob/files/", ""]],
    load: async () => (await import("./file.ts")).ls,
  },
  {
    name: "cat",
    args: "<path>",
    about: "print a file",
    group: FILES,
    options: [
      { flags: "--offset <byte>", about: "from this byte on", read: wholeNumber(0) },
      { flags: "--length <bytes>", about: "at most so many", read: wholeNumber(0) },
      AFTER,
    ],
    examples: [["cat bob/status", ""], ["cat bob/files/photo.png > photo.png", ""]],
    load: async () => (await import("./file.ts")).cat,
  },
  {
    name: "write",
    args: "<path> [text...]",
    about: "write a file, from words or from standard input",
    group: FILES,
    options: [
      { flags: "-a, --append", about: "at its end" },
      TYPE,
      { flags: "--match <version>", about: "only if it still has this version" },
    ],
    examples: [
      ["write bob/files/x.txt hello", ""],
      ["write bob/files/photo.png < photo.png", ""],
      ["write bob/files/diary.txt --append 'one more line'", ""],
    ],
    load: async () => (await import("./file.ts")).write,
  },
  {
    name: "call",
    args: "<path> [request...]",
    about: "write a request to a file and print its answer",
    group: FILES,
    options: [TYPE],
    examples: [
      ["call bob/identity/sign 'what I say'", ""],
      ["call bob/identity/verify - < event.json", "from standard input"],
    ],
    load: async () => (await import("./file.ts")).call,
  },
  {
    name: "watch",
    args: "<path>",
    about: "a file's events as they come",
    group: FILES,
    options: [
      { flags: "-n, --tail <n>", about: "begin with the last so many", read: wholeNumber(0) },
      AFTER,
    ],
    examples: [["watch bob/outbox", ""], ["watch bob/status --json", "NDJSON"]],
    load: async () => (await import("./file.ts")).watch,
  },
  {
    name: "rm",
    args: "<path>",
    about: "remove a file",
    group: FILES,
    options: [{ flags: "-r, --recursive", about: "a directory and all in it" }],
    examples: [["rm bob/files/x.txt", ""], ["rm -r bob/files/old", ""]],
    load: async () => (await import("./file.ts")).rm,
  },
  {
    name: "apply",
    args: "",
    about: "make the agents match a file",
    group: KEEP,
    options: [
      { flags: "-f, --file <file>", about: "YAML or JSON; - is standard input" },
      { flags: "--dry-run", about: "only say what differs" },
      { flags: "-y, --yes", about: "go on without being asked" },
      { flags: "--prune", about: "delete the agents that are not in the file" },
    ],
    examples: [
      ["apply -f agents.yaml", "says what differs, and asks"],
      ["apply -f agents.yaml --dry-run", ""],
      ["apply -f agents.yaml --yes --prune", "these agents and no others"],
    ],
    load: async () => (await import("./apply.ts")).apply,
  },
  {
    name: "token",
    args: "[word] [id]",
    about: "tokens for other programs: list, create, revoke",
    words: ["create", "list", "revoke"],
    group: KEEP,
    options: [
      { flags: "--agent <id>", about: "an agent it is for; '*' is all (repeatable)", many: true },
      { flags: "--can <what>", about: "what it may do there", choices: CANS },
      { flags: "--name <name>", about: "the name under which its messages come" },
      { flags: "--expires <span>", about: "when it ends by itself, e.g. 30d", read: readSpan },
    ],
    examples: [
      ["token create --agent bob --can read", "told once, on standard output"],
      ["token create --agent bob --agent ann --can send --name ci --expires 30d", ""],
      ["token create --agent '*' --can operate", "all agents, later ones too"],
      ["token list", ""],
      ["token revoke 0f3a5c7e9b1d", "at once"],
    ],
    load: async () => (await import("./token.ts")).token,
  },
  {
    name: "hook",
    args: "[word] [name] [agent]",
    about: "webhooks of other services: list, add, rm",
    words: ["add", "list", "rm"],
    group: KEEP,
    options: [
      {
        flags: "--scheme <scheme>",
        about: "how its messages are signed (github)",
        choices: SCHEMES,
      },
      {
        flags: "--secret <where>",
        about: "-, env:AGENTD_NAME or file:/PATH of the server (a new one, told once)",
      },
      { flags: "--signature-header <name>", about: "where the signature is (x-signature-256)" },
      { flags: "--id-header <name>", about: "where the delivery is named" },
      { flags: "--event-header <name>", about: "where the kind of event is named" },
      { flags: "--timestamp-header <name>", about: "where the time of sending is" },
      {
        flags: "--tolerance <seconds>",
        about: "how much that time may be off (300)",
        read: wholeNumber(1),
      },
      { flags: "--signed <template>", about: "what is signed, of {body}, {timestamp}, {id}" },
    ],
    examples: [
      ["hook add github bob", "GitHub's; the secret on standard output"],
      ["hook add ci bob --scheme hmac-sha256 --secret - < secret", "one that is there already"],
      ["hook add pay bob --secret env:AGENTD_PAY --timestamp-header x-time", ""],
      ["hook list", ""],
      ["hook rm github", ""],
    ],
    load: async () => (await import("./hook.ts")).hook,
  },
  {
    name: "secret",
    args: "[word] [name]",
    about: "what requests may refer to by a name: list, set, rm",
    words: ["set", "list", "rm"],
    group: KEEP,
    options: [
      {
        flags: "--host <host>",
        about: "where /http may send it: api.example.com, *.example.com, with a port (repeatable)",
        many: true,
      },
      { flags: "--mount <path>", about: "what may use it (/http; repeatable)", many: true },
      { flags: "--agent <id>", about: "an agent it is for (all; repeatable)", many: true },
      { flags: "--keep-value", about: "change only what it is bound to" },
    ],
    examples: [
      ["secret set API_KEY --host api.example.com", "asks for the value, and does not show it"],
      ["secret set API_KEY --mount /compute < key.txt", "from standard input"],
      ["secret set API_KEY --host '*.example.com' --agent bob --keep-value", ""],
      ["secret list", "names, and what they are bound to"],
      ["secret rm API_KEY", "at once"],
    ],
    load: async () => (await import("./secret.ts")).secret,
  },
  {
    name: "export",
    args: "<id>",
    about: "an agent as one file: its state, files, messages and history",
    group: KEEP,
    options: [
      { flags: "-o, --out <file>", about: "where to (ID.agent); - is standard output" },
      { flags: "--with-key", about: "its private key too, under a passphrase that is asked for" },
      FORCE,
    ],
    examples: [
      ["export bob", "writes bob.agent"],
      ["export bob -o ~/bob.agent --with-key", "to go on elsewhere as the same bob"],
      ["export bob -o - > bob.agent", "to standard output"],
    ],
    load: async () => (await import("./transfer.ts")).exportAgent,
  },
  {
    name: "import",
    args: "<file>",
    about: "an agent from such a file; - is standard input",
    group: KEEP,
    options: [
      { flags: "--clone", about: "a new agent with the same memory: a key and a queue of its own" },
      { flags: "--id <id>", about: "under another id" },
    ],
    examples: [
      ["import bob.agent", "the same life goes on here"],
      ["import bob.agent --clone --id bob2", "beside the original"],
    ],
    load: async () => (await import("./transfer.ts")).importAgent,
  },
  {
    name: "backup",
    args: "<file>",
    about: "a copy of the whole database, while the server runs; without the keys",
    group: KEEP,
    options: [FORCE],
    examples: [
      ["backup monday.db", ""],
      ["backup copy.db --force", "in place of the one that is there"],
    ],
    load: async () => (await import("./backup.ts")).backup,
  },
  {
    name: "images",
    args: "[word] [names...]",
    about: "what containers can be made from: list, pull",
    words: ["list", "pull"],
    group: KEEP,
    examples: [
      ["images", "what is there, and what agents may use by default"],
      ["images pull", "the default images"],
      ["images pull python:3.13-slim", ""],
    ],
    load: async () => (await import("./images.ts")).images,
  },
  {
    name: "doctor",
    args: "",
    about: "where settings came from, what there is, and what to do about what is not",
    group: ABOUT,
    examples: [["doctor", ""], [
      "doctor --json",
      "for machines; exit code 1 if something is broken",
    ]],
    load: async () => (await import("./doctor.ts")).doctor,
  },
  {
    name: "completions",
    args: "<shell>",
    about: "what a shell needs to complete commands: bash, zsh, fish",
    words: Object.keys(SCRIPTS),
    group: ABOUT,
    examples: [
      ["completions bash > ~/.agentd.bash", "then, in ~/.bashrc: source ~/.agentd.bash"],
      ["completions fish > ~/.config/fish/completions/agentd.fish", ""],
    ],
    load: async () => (await import("./completions.ts")).completions,
  },
  {
    name: "version",
    args: "",
    about: "which program this is",
    group: ABOUT,
    examples: [["version", ""], ["version --json", ""]],
    load: async () => (await import("./version.ts")).version,
  },
];

/** What the program starts of itself; nobody types these. */
export const HIDDEN: readonly Verb[] = [
  {
    name: COMPLETE_VERB,
    args: "[shell] [words...]",
    about: "what a shell may offer for a command line that is not finished",
    group: ABOUT,
    examples: [],
    hidden: true,
    load: async () => (await import("./completions.ts")).complete(VERBS),
  },
  {
    name: WATCH_VERB,
    args: "",
    about: "redeploy agents whose files change: what dev starts beside its server",
    group: SERVER,
    examples: [],
    local: true,
    hidden: true,
    load: async () => (await import("./watch_sources.ts")).watchSources,
  },
];

/** `/kv=read_only` */
function readMount(text: string): [string, string] {
  const [path, access, ...more] = text.split("=");
  if (path?.startsWith("/") && access && more.length === 0) return [path, access];
  throw usage(`--mount ${text}: write it as /PATH=ACCESS`, "For example --mount /kv=read_only.");
}
