// Verifies tokens with jose and with @clerk/backend, on request: a process of its own, so that its rounds can alternate
// with those of the others, after Node has compiled its hot code. One line of JSON in, one line out.

import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

import { verifyToken } from '@clerk/backend';
import { importJWK, jwtVerify } from 'jose';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const read = async () => {
  const { value } = await lines.next();
  return value === undefined ? undefined : JSON.parse(value);
};
const reply = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const versionOf = (name) =>
  JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;

const { tokens, issuer, jwk, pem } = await read();
const key = await importJWK(jwk, 'RS256');

// Both get the key ready-made: no request is made for it.
const verifiers = {
  jose: async (token) => (await jwtVerify(token, key, { issuer, algorithms: ['RS256'] })).payload,
  '@clerk/backend': (token) => verifyToken(token, { jwtKey: pem }),
};

const libraries = Object.keys(verifiers).map((name) => `${name} ${versionOf(name)}`);
reply({ versions: [`Node ${process.versions.node}`, ...libraries].join(', ') });

for (let library = await read(); library !== undefined; library = await read()) {
  const verify = verifiers[library];
  const start = process.hrtime.bigint();
  for (const token of tokens) {
    const claims = await verify(token);
    if (claims.iss !== issuer) throw new Error(`${library} gave other claims`);
  }
  reply({ seconds: Number(process.hrtime.bigint() - start) / 1e9 });
}
