// Claims as Clerk might make them, malformed ones included, and questions to ask about them.
import { sessionClaims } from "../lib/tokens.js";

const SLUGS = ["posts", "billing", "teams", "a-b", "x_1"];
const NAMES = ["read", "create", "update", "delete", "manage"];
const VERSIONS = [2, 2, 2, 2, 2, 2, 2, 2, "2", 3];
const SCOPES = ["o", "o", "o", "u", "ou", "uo", "x", ""];
const ROLES = ["admin", "member", "org:admin", "org:org:admin", ""];

export function randomClaims(random, issuer) {
  const claims = random.chance(0.75) ? version2(random) : version1(random);
  return sessionClaims(issuer, {
    ...claims,
    ...(random.chance(0.6) && { fva: randomAges(random) }),
    ...(random.chance(0.3) && { act: { sub: "user_boss", ...random.pick([{}, {}, { type: "agent" }, { type: "x" }]) } }),
    ...(random.chance(0.1) && { sts: random.pick(["active", "pending"]) }),
  });
}

function version1(random) {
  return {
    ...(random.chance(0.3) && { v: 1 }),
    ...(random.chance(0.5) && { fea: scopedList(random) }),
    ...(random.chance(0.5) && { pla: scopedList(random) }),
    ...(random.chance(0.8) && { org_id: random.pick(["org_1", "org_1", "org_2", ""]) }),
    ...(random.chance(0.7) && { org_slug: "acme" }),
    ...(random.chance(0.8) && { org_role: random.pick(ROLES) }),
    ...(random.chance(0.7) && { org_permissions: random.list(0, 4, () => keyOfVersion1(random)) }),
  };
}

const scopedList = (random) =>
  random.list(1, 3, () => `${random.pick(SCOPES)}:${random.pick(SLUGS)}`).join(",") + random.pick(["", "", "", ",posts"]);

function version2(random) {
  const features = random.list(1, 4, () => `${random.pick(SCOPES)}:${random.pick(SLUGS)}`);
  const names = random.list(1, 5, () => random.pick(NAMES));
  const masks = random.list(Math.max(1, features.length - 1), features.length + 1, () => mask(random, names.length));
  const glue = random.pick([",", ",", ", "]);
  return {
    v: random.pick(VERSIONS),
    ...(random.chance(0.85) && {
      fea: features.join(glue) + random.pick(["", "", "", "", "", "", "", "", ",", ",posts"]),
    }),
    ...(random.chance(0.6) && {
      pla: random.list(1, 2, () => `${random.pick(SCOPES)}:${random.pick(SLUGS)}`).join(glue),
    }),
    ...(random.chance(0.85) && {
      o: {
        ...(random.chance(0.95) && { id: "org_1" }),
        ...(random.chance(0.7) && { slg: "acme" }),
        ...(random.chance(0.9) && { rol: random.pick(ROLES) }),
        ...(random.chance(0.9) && { per: names.join(glue) }),
        ...(random.chance(0.9) && { fpm: masks.join(glue) }),
      },
    }),
  };
}

function mask(random, bits) {
  if (random.chance(0.1)) {
    return random.pick(["-1", "1.5", "0x1", "1e3", "", "1invalid", "+1", "٣"]);
  }
  const wide = random.chance(0.2) ? 2n ** 70n : 0n;
  return `${random.pick(["", "", "0"])}${wide + BigInt(random.below(2 ** bits))}`;
}

/** A full key, rarely with another number of `org:` than one. */
const keyOfVersion1 = (random) =>
  random.pick(["", "", "", "", "org:"]) + permission(random).slice(random.pick([0, 0, 0, 4]));
const permission = (random) => `org:${random.pick(SLUGS)}:${random.pick(NAMES)}`;

function randomAges(random) {
  const age = () => random.pick([-1, -1, 0, 1, 9, 10, 59, 60, 1439, 1440, 2.5]);
  if (random.chance(0.1)) {
    return random.pick([[], [1], [1, 2, 3], ["1", "2"], [-2, 1], [1, -0.5], null, "1,2", [null, 1]]);
  }
  return [age(), age()];
}

/** Arguments of Clerk's `has()`. */
export function randomQuestion(random) {
  const scoped = () => random.pick(["", "", "o:", "org:", "organization:", "u:", "user:", "x:"]) + random.pick(SLUGS);
  const asked = {
    ...(random.chance(0.4) && {
      role: random.pick(["admin", "member", "org:admin", "org:org:member", "org:", "owner", ""]),
    }),
    ...(random.chance(0.4) && {
      permission: random.pick([permission(random), permission(random).slice(4), "org:posts", ""]),
    }),
    ...(random.chance(0.3) && { feature: random.pick([scoped() + random.pick(["", "", "", ":rest"]), scoped(), scoped(), ""]) }),
    ...(random.chance(0.3) && { plan: random.pick([scoped(), scoped(), scoped(), ""]) }),
    ...(random.chance(0.3) && { reverification: randomDemand(random) }),
  };
  return asked;
}

function randomDemand(random) {
  if (random.chance(0.5)) {
    return random.pick(["strict_mfa", "strict", "moderate", "lax"]);
  }
  return {
    level: random.pick(["first_factor", "second_factor", "multi_factor"]),
    afterMinutes: random.pick([1, 9, 10, 60, 1440]),
  };
}
