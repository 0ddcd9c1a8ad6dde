// An instance of Clerk's, as far as its keys and its tokens go.
import { once } from "node:events";
import { createServer } from "node:http";

import { keyPair, makeToken, rs, sessionClaims } from "./tokens.js";

export class Clerk {
  /** Publishes its keys on a free port of loopback. */
  static async open(issuer) {
    const clerk = new Clerk();
    clerk.issuer = issuer;
    clerk.rotations = 0;
    /** Whether it answers nobody. */
    clerk.isSilent = false;
    clerk.rotate();
    clerk.server = createServer((request, response) => {
      if (clerk.isSilent) {
        return;
      }
      response.setHeader("content-type", "application/json").end(JSON.stringify(clerk.keys.jwks));
    });
    clerk.server.listen(0, "127.0.0.1");
    await once(clerk.server, "listening");
    clerk.jwksUrl = `http://127.0.0.1:${clerk.server.address().port}/.well-known/jwks.json`;
    return clerk;
  }

  /** Another key in place of the present one, which is gone at once. */
  rotate() {
    this.keys = keyPair({ kid: `ins_rotated_${this.rotations++}`, alg: "RS256" });
  }

  /** A session token as Clerk makes it for Supabase. */
  token(user, changes = {}) {
    const claims = sessionClaims(this.issuer, { sub: user, role: "authenticated", ...changes });
    return makeToken({ alg: "RS256", typ: "JWT", kid: this.keys.jwk.kid }, claims, rs(256, this.keys.privateKey));
  }

  close() {
    this.server.closeAllConnections();
    this.server.close();
  }
}
