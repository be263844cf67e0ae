/**
 * The checks that each request passes before a route sees it.
 *
 * @module
 */

import type { Context, MiddlewareHandler } from "hono";
import { getCookie, setCookie } from "hono/cookie";
import { isIP } from "node:net";
import { quote } from "../text.ts";
import type { Exchange } from "./http.ts";
import type { WebOptions } from "./options.ts";
import type { Password, Try } from "./password.ts";
import { clientOf, HEADERS, Hosts, isSame, Session } from "./security.ts";

/** What routes find in hono's context. */
export interface Env {
  readonly Bindings: Exchange;
  readonly Variables: {
    /** The fields of a form that passed the checks. */
    form: URLSearchParams;
    isSignedIn: boolean;
  };
}

export type Ctx = Context<Env>;

/** Why a request is refused. */
export class Refusal extends Error {
  readonly status: 400 | 403 | 404 | 405 | 413 | 415 | 503;

  constructor(status: Refusal["status"], text: string) {
    super(text);
    this.status = status;
  }
}

const FORM_TYPE = "application/x-www-form-urlencoded";

const LOGIN = "/login";

/** The longest form: 1 MiB of arguments, each byte as `%XX`. */
const MAX_FORM_BYTES = 4 * 1024 * 1024;

/** Of a sign-in, which anybody may send; a password has 1,000 characters. */
const MAX_LOGIN_BYTES = 16 * 1024;

export class Checks {
  readonly session: Session = new Session();
  readonly #options: WebOptions;
  readonly #hosts: Hosts;
  readonly #cookie: string;
  readonly #password: Password | undefined;

  constructor(
    options: WebOptions,
    port: number,
    password: Password | undefined,
  ) {
    this.#options = options;
    this.#hosts = new Hosts(options.address.host, port, options.allowedHosts);
    // Cookies know no port: two pages on a machine would sign each other out.
    this.#cookie = `zsqs-${port}`;
    this.#password = password;
  }

  /** Gives every answer its headers, and refuses forged names of this server. */
  readonly host: MiddlewareHandler<Env> = async (c, next) => {
    for (const [name, value] of Object.entries(HEADERS)) c.header(name, value);
    const host = c.req.header("host") ?? "";
    if (!this.#hosts.admits(host)) {
      return c.text(
        `Refused: ${
          quote(host.slice(0, 100))
        } is no name of this page. Use the printed address, or restart it with --allow-host=NAME.\n`,
        403,
      );
    }
    await next();
  };

  /** Turns the token of the printed URL into the cookie, and hides it. */
  readonly urlToken: MiddlewareHandler<Env> = async (c, next) => {
    const token = c.req.query("token");
    if (token === undefined || c.req.method === "POST") return await next();
    if (
      this.#password !== undefined || !isSame(token, this.session.urlToken)
    ) {
      throw new Refusal(
        403,
        "This address is old: its server has stopped. Open the address that it printed last.",
      );
    }
    this.#signIn(c);
    // Two slashes at the start would lead to another server, and so would a tab
    // between them: hono's path is decoded.
    const { pathname } = new URL(c.req.url);
    return c.redirect(pathname.replace(/^\/+/, "/"), 303);
  };

  /** Lets only those in who have the cookie. */
  readonly signedIn: MiddlewareHandler<Env> = async (c, next) => {
    const cookie = getCookie(c, this.#cookie) ?? "";
    const isSignedIn = isSame(cookie, this.session.cookie);
    c.set("isSignedIn", isSignedIn);
    if (isSignedIn || c.req.path === LOGIN) return await next();
    if (this.#password !== undefined && c.req.method === "GET") {
      return c.redirect(LOGIN, 303);
    }
    throw new Refusal(
      403,
      this.#password === undefined
        ? "Open the address that zsqs web printed: it has a token."
        : "Sign in first, then try again.",
    );
  };

  /** Lets only forms of this page through, and reads them. */
  readonly post: MiddlewareHandler<Env> = async (c, next) => {
    const { method } = c.req;
    if (method === "GET" || method === "HEAD") return await next();
    if (method !== "POST") {
      throw new Refusal(405, `Use GET or POST: ${method} does nothing here.`);
    }
    this.#checkOrigin(c);
    const isLogin = c.req.path === LOGIN;
    if (this.#options.isReadOnly && !isLogin) {
      throw new Refusal(
        403,
        "Refused: the page is read-only. Restart it without --read-only.",
      );
    }
    const type = c.req.header("content-type") ?? "";
    if (type.split(";")[0]!.trim().toLowerCase() !== FORM_TYPE) {
      throw new Refusal(415, `Refused: only forms are taken (${FORM_TYPE}).`);
    }
    const form = await c.env.readForm(
      isLogin ? MAX_LOGIN_BYTES : MAX_FORM_BYTES,
    );
    if (form === undefined) {
      const most = isLogin ? "16 KiB" : "4 MiB";
      throw new Refusal(413, `Refused: the form is longer than ${most}.`);
    }
    if (!isLogin && !isSame(form.get("token") ?? "", this.session.formToken)) {
      throw notFromHere();
    }
    c.set("form", form);
    await next();
  };

  /** Signs in with a password. */
  async login(c: Ctx): Promise<Try> {
    const given = c.get("form").get("password") ?? "";
    const result = await this.#password?.try(given, this.#clientOf(c)) ??
      "wrong";
    if (result === "right") this.#signIn(c);
    return result;
  }

  get hasPassword(): boolean {
    return this.#password !== undefined;
  }

  /** A proxy names its client last, after the names that the client gave. */
  #clientOf(c: Ctx): string {
    const isProxied = this.#options.allowedHosts.length > 0;
    const names = c.req.header("x-forwarded-for") ?? "";
    const last = names.slice(names.lastIndexOf(",") + 1).trim();
    return clientOf(isProxied && isIP(last) !== 0 ? last : c.env.sender);
  }

  #signIn(c: Ctx): void {
    setCookie(c, this.#cookie, this.session.cookie, {
      path: "/",
      httpOnly: true,
      sameSite: "Strict",
      // Behind a proxy with TLS.
      secure: c.req.header("origin")?.startsWith("https:") ?? false,
    });
  }

  #checkOrigin(c: Ctx): void {
    const site = c.req.header("sec-fetch-site");
    const origin = c.req.header("origin") ?? "";
    const host = c.req.header("host") ?? "";
    const isOwn = site === undefined
      ? this.#hosts.isOwnOrigin(origin, host)
      : site === "same-origin";
    if (!isOwn) throw notFromHere();
  }
}

function notFromHere(): Refusal {
  return new Refusal(
    403,
    "Refused: the request did not come from this page. Reload, then try again.",
  );
}
