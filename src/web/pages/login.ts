/**
 * The pages without a session, and pages of refused requests.
 *
 * @module
 */

import { layout } from "./frame.ts";
import { data, form, heading, type Html, markup, note } from "./parts.ts";
import type { Frame, LoginView, ProblemView } from "./views.ts";

const PROBLEMS = {
  wrong: "Wrong password.",
  "too many": "Too many wrong passwords. Try again in 8 seconds.",
} as const;

export function loginPage(
  { problem }: LoginView,
  frame: Frame,
): Html {
  return layout({
    title: "Sign in",
    content: markup`<section class="card stack sign-in"><h1>Sign in</h1>${
      form({
        action: "/login",
        frame,
        name: "stack",
        content:
          markup`<div class="field"><label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required autofocus${
            problem !== undefined &&
            markup` aria-invalid="true" aria-describedby="password-error"`
          }>${
            problem !== undefined &&
            markup`<p id="password-error" class="error" role="alert">${
              PROBLEMS[problem]
            }</p>`
          }</div>
          <div><button class="btn go">Sign in</button></div>`,
      })
    }</section>`,
  }, frame);
}

const TITLES: Readonly<Record<number, string>> = {
  403: "Refused",
  404: "Not found",
  405: "Refused",
  413: "Too large",
  503: "Not now",
};

export function problemPage({ status, text }: ProblemView, frame: Frame): Html {
  const title = TITLES[status] ?? (status < 500 ? "Refused" : "Failed");
  return layout({
    title,
    content: markup`${heading(title)}${
      note(
        status < 500 ? "warn" : "bad",
        data(text),
      )
    }${
      frame.isSignedIn &&
      markup`<div class="row"><a class="btn" href="/">Go to Overview</a></div>`
    }`,
  }, frame);
}
