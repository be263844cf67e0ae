/**
 * Who may ask, and what a browser may do with an answer.
 *
 * @module
 */

import crypto from "node:crypto";
import { isIP } from "node:net";

/** Of every answer. `no-referrer` would make forms send `Origin: null`. */
export const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    ...["script-src", "style-src", "img-src", "connect-src", "form-action"]
      .map((name) => `${name} 'self'`),
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join("; "),
  "referrer-policy": "same-origin",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), geolocation=(), microphone=()",
  "cache-control": "no-store",
};

/** Compares in a time that tells nothing of the wanted text. */
export function isSame(given: string, wanted: string): boolean {
  const digest = (text: string) =>
    crypto.createHash("sha256").update(text).digest();
  return crypto.timingSafeEqual(digest(given), digest(wanted));
}

/** Whether only this machine reaches a host. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" ||
    (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * Whose tries count together: all of an IPv4 address, or of a network of IPv6,
 * whose owner has any number of addresses.
 */
export function clientOf(address: string): string {
  if (isIP(address) !== 6 || address.includes(".")) return address;
  const [head, tail] = address.split("::")
    .map((part) => part.split(":").filter((group) => group !== ""));
  const zeros = tail && Array(8 - head!.length - tail.length).fill("0");
  return [...head!, ...zeros ?? [], ...tail ?? []].slice(0, 4).join(":");
}

/** The secrets of one run: they end with the process. */
export class Session {
  readonly #secret = crypto.randomBytes(32);
  /** In the printed URL, which turns it into the cookie. */
  readonly urlToken: string = this.#derive("url");
  readonly cookie: string = this.#derive("cookie");
  /** In every form. */
  readonly formToken: string = this.#derive("form");

  #derive(use: string): string {
    return crypto.createHmac("sha256", this.#secret).update(use)
      .digest("base64url");
  }
}

/** The names by which this server may be asked. */
export class Hosts {
  readonly #port: number;
  readonly #own: readonly string[];
  readonly #allowed: readonly string[];

  /** @param host The host that it listens on. */
  constructor(host: string, port: number, allowed: readonly string[]) {
    this.#port = port;
    const names = isLoopback(host) ? ["127.0.0.1", "[::1]", "localhost"] : [];
    const shown = isIP(host) === 6 ? `[${host}]` : host.toLowerCase();
    this.#own = [shown, ...names].map((name) => `${name}:${port}`);
    this.#isAnyAddress = ["0.0.0.0", "::"].includes(host);
    this.#allowed = allowed.map((name) => name.toLowerCase());
  }

  readonly #isAnyAddress: boolean;

  /** Whether a `Host` is one of these. No DNS server gives away an IP address. */
  admits(host: string): boolean {
    const name = host.toLowerCase();
    return this.#own.includes(this.#withPort(name)) ||
      this.#isAllowed(name) || this.#isAddress(name);
  }

  /** Whether an `Origin` is this page, asked by an admitted `Host`. */
  isOwnOrigin(origin: string, host: string): boolean {
    if (origin === `http://${host}`) return true;
    // A proxy speaks HTTPS.
    return this.#isAllowed(host.toLowerCase()) && origin === `https://${host}`;
  }

  /** A browser leaves the port of the scheme out. */
  #withPort(name: string): string {
    return this.#port === 80 && !/:\d+$/.test(name) ? `${name}:80` : name;
  }

  #isAllowed(name: string): boolean {
    return this.#allowed.some((each) =>
      name === each ||
      (!/:\d+$/.test(each) && name.replace(/:\d+$/, "") === each)
    );
  }

  #isAddress(name: string): boolean {
    if (!this.#isAnyAddress) return false;
    const [, host = "", port] = /^\[?([^\]]*?)\]?(?::(\d+))?$/.exec(name) ?? [];
    return isIP(host) !== 0 && Number(port ?? 80) === this.#port;
  }
}
