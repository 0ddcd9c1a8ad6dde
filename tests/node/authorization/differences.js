// Claims that @clerk/backend and the database read differently, and why. What no longer differs must leave this table.

const elements = (list) => (typeof list === "string" && list ? list.split(",").map((element) => element.trim()) : []);
const ofOrganization = (element) => ["o", "ou", "uo"].includes(element.split(":")[0]);

/**
 * `claims` are an example; `backend` and `database` the permissions each reads out of it. `undone` rewrites any claims so
 * that @clerk/backend reads what the database does; the rows do it one after the other.
 */
export const DIFFERENCES = [
  {
    name: "version 2 as a string",
    because: "Clerk's Java, C# and PHP SDKs compare v with the string, its JavaScript with the number; we take both.",
    claims: { v: "2", fea: "o:posts", o: { id: "org_1", per: "read", fpm: "1" } },
    backend: null,
    database: ["org:posts:read"],
    undone: (claims) => (claims.v === "2" ? { ...claims, v: 2 } : claims),
  },
  {
    name: "a version nobody knows",
    because: "@clerk/backend reads any other version as version 1; we understand nothing of its organization.",
    claims: { v: 3, org_id: "org_1", org_permissions: ["org:posts:read"] },
    backend: ["org:posts:read"],
    database: null,
    undone: (claims) => (claims.v === 3 ? { ...claims, v: 2, o: undefined, fea: undefined, pla: undefined } : claims),
  },
  {
    name: "a feature without a scope",
    because: "@clerk/backend throws, so the whole token is lost; we read no feature and no permission out of it.",
    claims: { v: 2, fea: "o:posts,billing", o: { id: "org_1", per: "read", fpm: "1" } },
    backend: "Error",
    database: [],
    undone: (claims) =>
      claims.v === 2 && elements(claims.fea).some((element) => !element.includes(":"))
        ? { ...claims, fea: undefined }
        : claims,
  },
  {
    name: "a mask for every feature, not only for the organization's",
    because:
      "Clerk's docs and five of its SDKs count the masks against every element of fea, its JavaScript against the " +
      "organization's. We do the former when there is one mask for each element, else the latter.",
    claims: { v: 2, fea: "u:own,o:posts", o: { id: "org_1", per: "read,write", fpm: "0,3" } },
    backend: [],
    database: ["org:posts:read", "org:posts:write"],
    undone: (claims) => {
      const features = elements(claims.fea);
      const masks = elements(claims.o?.fpm);
      if (claims.v !== 2 || masks.length !== features.length) {
        return claims;
      }
      const fpm = masks.filter((_, index) => ofOrganization(features[index])).join(",");
      return { ...claims, o: { ...claims.o, fpm } };
    },
  },
  {
    name: "a permission of version 1 without org:",
    because: "Keys always have exactly one org: here, as has() gives to the key that is asked.",
    claims: { org_id: "org_1", org_permissions: ["posts:read", "org:org:posts:write"] },
    backend: ["posts:read", "org:org:posts:write"],
    database: ["org:posts:read", "org:posts:write"],
    undone: (claims) => ({
      ...claims,
      org_permissions: claims.org_permissions?.map((key) => key.replace(/^(org:)*/, "org:")),
    }),
  },
];

/** Questions that has() answers otherwise. */
export const QUESTIONS = [
  {
    name: "a scope without a feature",
    because: "@clerk/backend takes the scope for the feature's name if nothing follows it.",
    claims: { v: 2, fea: "o:org" },
    question: { feature: "org:" },
    backend: true,
    database: false,
  },
  {
    name: "a plan that is called *",
    because: "'*' is a question left out; Clerk's keys and slugs have no such character.",
    claims: { v: 2, o: { id: "org_1", rol: "admin" } },
    question: { role: "admin", plan: "*" },
    backend: false,
    database: true,
  },
];
