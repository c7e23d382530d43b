#!/usr/bin/env node
// The plugin for pay-ins at Acme Pay, in JavaScript. A router starts it; run by hand it describes itself.

import http from "node:http";
import https from "node:https";
import { serve } from "./serve.mjs";

const info = {
  name: "acme-node", version: "0.1.0",
  capabilities: [{
    operation: "payin", method: "pse", currencies: ["COP"], document_types: ["CC", "CE"],
    amount_min: "1000.00", amount_max: "5000000.00", decimals: 2,
    required: ["payer.document.type", "payer.document.number", "return_url"],
    recovery: { lookup_by_key: true, resend_same_key: true },
  }],
  abilities: ["notifications"],
  config: [
    { name: "base_url", type: "url", required: true, doc: "root of the API" },
    { name: "api_key", type: "string", required: true, secret: true, doc: "from Acme Pay's console" },
  ],
  assumptions: ["Acme Pay does not exist: its API is an example"],
};

const statuses = { waiting: "pending", paid: "succeeded", refused: "rejected", expired: "expired" };

const refusals = { 400: "invalid", 422: "invalid", 402: "declined", 401: "unauthorized", 403: "unauthorized", 429: "unavailable" };
const refusal = (status) => ({ code: refusals[status] ?? "unknown", message: `Acme Pay answered HTTP ${status}`, provider_code: `${status}` });

let base, apiKey;
const agents = { "http:": new http.Agent({ keepAlive: true }), "https:": new https.Agent({ keepAlive: true }) };

// call makes one call. It throws unavailable when no connection could be made, so that nothing was sent; else unknown,
// because Acme Pay may have heard of it. Redirects are not followed, and nothing is sent twice.
function call(signal, method, path, content) {
  return new Promise((resolve, reject) => {
    const url = new URL(base + path), body = content && JSON.stringify(content);
    let connected = false;
    const request = (url.protocol === "https:" ? https : http).request(url, {
      method, signal, agent: agents[url.protocol],
      headers: { authorization: `Bearer ${apiKey}`, ...(body && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }) },
    });
    request.on("socket", (socket) => {
      if (!socket.connecting) connected = true;
      else socket.once(url.protocol === "https:" ? "secureConnect" : "connect", () => { connected = true; });
    });
    request.on("error", () => reject(connected ? { code: "unknown", message: "Acme Pay gave no answer" }
      : { code: "unavailable", message: "Acme Pay cannot be reached" }));
    request.on("response", (response) => {
      const chunks = [];
      let size = 0;
      const unreadable = () => reject({ code: "unknown", message: "Acme Pay's answer cannot be read" });
      response.on("data", (chunk) => { chunks.push(chunk); if ((size += chunk.length) > 1 << 20) request.destroy(); });
      response.on("error", unreadable);
      response.on("aborted", unreadable);
      response.on("end", () => {
        if (response.statusCode < 200 || response.statusCode > 299) return resolve({ status: response.statusCode });
        try {
          resolve({ status: response.statusCode, charge: JSON.parse(Buffer.concat(chunks).toString("utf8")) });
        } catch {
          unreadable();
        }
      });
    });
    request.end(body);
  });
}

// outcome reads a charge. Every word that is not known is an error, never a guess.
function outcome(charge) {
  const status = Object.hasOwn(statuses, charge?.status) && statuses[charge.status];
  if (!status || typeof charge.id !== "string" || !/^\d{1,15}(\.\d{1,2})?$/.test(charge.amount)) {
    throw { code: "unknown", message: "Acme Pay's charge has an unknown status or no amount", reference: `${charge?.id ?? ""}` };
  }
  return {
    status, key: `${charge.key ?? ""}`, reference: charge.id, amount: charge.amount, currency: `${charge.currency ?? ""}`, code: charge.status,
    action: status === "pending" && charge.url ? { type: "redirect", url: `${charge.url}` } : undefined,
  };
}

const cents = (amount) => {
  const [, pesos, rest = ""] = /^(\d{1,15})(?:\.(\d{1,2}))?$/.exec(amount) ?? [];
  return pesos === undefined ? -1n : BigInt(pesos) * 100n + BigInt(rest.padEnd(2, "0"));
};

// check refuses what Acme Pay cannot take, before anything is sent.
function check(payment) {
  const invalid = (field, message) => { throw { code: "invalid", field, message }; };
  const [c] = info.capabilities;
  if (payment.operation !== c.operation || payment.method !== c.method) invalid("method", "Acme Pay takes pay-ins by pse only");
  if (!c.currencies.includes(payment.currency)) invalid("currency", "Acme Pay takes COP only");
  if (cents(payment.amount) < cents(c.amount_min)) invalid("amount", "is less than 1,000.00");
  if (cents(payment.amount) > cents(c.amount_max)) invalid("amount", "is more than 5,000,000.00");
  if (!c.document_types.includes(payment.payer?.document_type)) invalid("payer.document.type", "is none of CC, CE");
  if (!payment.payer.document_number) invalid("payer.document.number", "is required");
  if (!payment.return_url) invalid("return_url", "is required");
}

const provider = {
  info: async () => info,
  async configure({ config = {} }) {
    const faults = Object.keys(config).filter((name) => !info.config.some((f) => f.name === name)).map((name) => ({ name, message: "is not known" }));
    for (const f of info.config) if (!config[f.name]) faults.push({ name: f.name, message: `is required: ${f.doc}` });
    if (config.base_url && !(URL.canParse(config.base_url) && /^https?:/.test(config.base_url))) {
      faults.push({ name: "base_url", message: "is no absolute http or https URL" });
    }
    if (faults.length) throw { code: "invalid", message: "the configuration is wrong", config_faults: faults };
    [base, apiKey] = [config.base_url.replace(/\/$/, ""), config.api_key];
    return info;
  },
  async check(_, signal) {
    const { status } = await call(signal, "GET", "/me");
    if (status !== 200) throw refusal(status);
    return {};
  },
  async submit(attempt, signal) {
    const p = attempt.payment ?? {};
    check(p);
    const { status, charge } = await call(signal, "POST", "/charges", {
      key: attempt.key, amount: p.amount, currency: p.currency, document: `${p.payer.document_type} ${p.payer.document_number}`,
      return_url: p.return_url, notify_url: attempt.notification_url ?? "",
    });
    if (status !== 200 && status !== 201) throw refusal(status);
    return outcome(charge);
  },
  async lookup(query, signal) {
    if (!query.key && !query.reference) throw { code: "invalid", message: "a look-up needs a key or a reference" };
    const by = query.key ? { key: query.key } : { id: query.reference ?? "" };
    const { status, charge } = await call(signal, "GET", `/charges?${new URLSearchParams(by)}`).catch((e) => {
      throw { code: "unknown", message: `the look-up was not answered: ${e.message}` };
    });
    if (status === 404) return { status: "absent", code: "404" };
    if (status === 401) throw refusal(status);
    if (status !== 200) throw { code: "unknown", message: `the look-up was answered with HTTP ${status}` };
    return outcome(charge);
  },
  async parse_notification({ body = Buffer.alloc(0) }) {
    let charge;
    try {
      ({ charge } = JSON.parse(body.toString("utf8")));
    } catch { /* as one that names none */ }
    if (typeof charge !== "string" || charge === "") throw { code: "invalid", message: "the webhook names no charge" };
    return { queries: [{ reference: charge }] };
  },
  async close() {
    for (const agent of Object.values(agents)) agent.destroy();
    return {};
  },
};

if (process.env.CAUCE_PLUGIN === "provider") serve(provider);
else if (process.argv[2] === "describe") console.log(JSON.stringify(info, null, 2));
else if (process.argv[2] === "version") console.log(`${info.name} ${info.version}`);
else {
  console.log(`${info.name} ${info.version} is a payment provider plugin of Cauce. A router starts it; "describe" and "version" are for people.
Acme Pay's simulator comes with the same plugin in Go: examples/plugin-go.`);
  if (process.argv.length > 2) process.exitCode = 2;
}
