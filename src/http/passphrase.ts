/** How the passphrase of an agent's key travels beside the agent's file. */

/** Percent-encoded, as a header holds no other text; in no URL, as those are logged. */
export const PASSPHRASE_HEADER = "agentd-passphrase";
