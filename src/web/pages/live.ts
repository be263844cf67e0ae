/**
 * The only script: it connects live updates. Without it the page is complete,
 * and reloading brings it up to date.
 *
 * @module
 */

/**
 * At most 2 kB. On an update it loads this page again, and exchanges the parts
 * that are marked for it. A hidden page holds no connection, as browsers allow
 * six to a server.
 */
export const LIVE = `"use strict";
(() => {
  const root = document.documentElement;
  let source, timer, loading = false, again = false;
  const lost = () => { root.dataset.live = "lost"; };
  const isInUse = (part) => {
    const selection = getSelection();
    return !selection.isCollapsed && part.contains(selection.anchorNode);
  };
  const exchange = (fresh) => {
    for (const part of document.querySelectorAll("[data-part]")) {
      const next = fresh.getElementById(part.id);
      if (!next) return location.reload();
      if (next.outerHTML === part.outerHTML || isInUse(part)) continue;
      const focus = part.contains(document.activeElement) && document.activeElement.id;
      part.replaceWith(next);
      if (focus) document.getElementById(focus)?.focus();
    }
    document.title = fresh.title;
  };
  const load = () => {
    if (document.hidden) return;
    if (loading) { again = true; return; }
    loading = true;
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document";
    request.onloadend = () => {
      loading = false;
      if (request.status === 200 && request.response) exchange(request.response);
      else lost();
      if (again) { again = false; load(); }
    };
    request.send();
  };
  const stop = () => { clearTimeout(timer); source?.close(); };
  const start = () => {
    stop();
    source = new EventSource("/events?topic=" + root.dataset.topic);
    source.onopen = () => { root.dataset.live = "on"; load(); };
    source.onerror = () => {
      lost();
      if (source.readyState === 2) timer = setTimeout(start, 5000);
    };
    source.addEventListener("update", load);
  };
  document.addEventListener("visibilitychange", () => document.hidden ? stop() : start());
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => { if (event.persisted) start(); });
  if (!document.hidden) start();
})();
`;
