/** How a hook's messages may be signed. */
export const SCHEMES = ["github", "hmac-sha256"] as const;
export type Scheme = typeof SCHEMES[number];
