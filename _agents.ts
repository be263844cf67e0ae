/**
 * Sockets that the SDK keeps and uses again.
 *
 * @module
 */

import { Agent as HttpAgent, type ClientRequest } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import type { Duplex } from "node:stream";

/** How many sockets a client may have open, as in the SDK. */
const MAX_SOCKETS = 50;

/** Agents for an SDK client. */
export interface Agents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/**
 * Makes agents on whose kept sockets a request that is given up is over. Deno
 * 2.9 takes its end for that of a stale socket, and sends it once more on a new
 * one (denoland/deno#36786): a send that timed out would be made twice, and a
 * receive that was dropped would hide messages that nobody gets.
 */
export function makeAgents(): Agents {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
  return {
    httpAgent: withOneTry(new HttpAgent(options)),
    httpsAgent: withOneTry(new HttpsAgent(options)),
  };
}

function withOneTry<A extends HttpAgent>(agent: A): A {
  const reuse = agent.reuseSocket;
  agent.reuseSocket = (socket: Duplex, request: ClientRequest) => {
    Reflect.apply(reuse, agent, [socket, request]);
    const { destroy } = request;
    request.destroy = (error) => {
      request.reusedSocket = false;
      return Reflect.apply(destroy, request, [error]);
    };
  };
  return agent;
}
