// What docs/contract.md asks of a plugin, with nothing but Node's standard library: a certificate, the handshake line,
// HTTP/2 with certificates on both sides, gRPC's framing, and one stream that carries every call.

import crypto from "node:crypto";
import http2 from "node:http2";
import path from "node:path";
import { decode, encode } from "./protobuf.mjs";

const maxMessage = 1 << 20;
const maxCalls = 1024;

// serve runs a provider until its router is gone. provider[request](content, signal) returns the answer's content, or
// throws an object with a code (see docs/contract.md, section 7); signal ends when nobody waits for the answer.
export function serve(provider) {
  const { certificate, key } = selfSigned();
  const server = http2.createSecureServer({
    key, cert: pem(certificate), ca: process.env.PLUGIN_CLIENT_CERT, requestCert: true, rejectUnauthorized: true,
    settings: { initialWindowSize: maxMessage },
  });
  const host = new crypto.X509Certificate(process.env.PLUGIN_CLIENT_CERT).fingerprint256;
  server.on("secureConnection", (socket) => {
    if (socket.getPeerCertificate().fingerprint256 !== host) socket.destroy();
  });
  server.on("stream", (stream, headers) => {
    if (headers[":path"] !== "/cauce.provider.v1.Provider/Exchange") {
      stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": "12" }, { endStream: true });
      return;
    }
    exchange(provider, stream);
  });
  const socket = path.join(process.env.PLUGIN_UNIX_SOCKET_DIR, "s");
  server.listen(socket, () => process.stdout.write(`1|1|unix|${socket}|grpc|${certificate.toString("base64").replaceAll("=", "")}\n`));
  const parent = process.ppid;
  setInterval(() => process.ppid === parent || process.exit(1), 1000);
}

// exchange answers the calls of one stream, all at the same time.
function exchange(provider, stream) {
  stream.respond({ ":status": 200, "content-type": "application/grpc" });
  const running = new Map();
  let configured = false;
  const send = (answer) => {
    let body = encode("Answer", answer);
    if (body.length > maxMessage) {
      body = encode("Answer", { id: answer.id, error: { code: "unknown", message: "the answer is larger than 1 MiB" } });
    }
    const head = Buffer.alloc(5);
    head.writeUInt32BE(body.length, 1);
    if (!stream.destroyed) stream.write(Buffer.concat([head, body]));
  };
  const run = async (call, request) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), call.timeout_ms ?? 0);
    running.set(call.id, abort);
    try {
      if (running.size > maxCalls) throw { code: "unavailable", message: "more calls at once than this plugin takes" };
      if (!provider[request]) throw { code: "invalid", message: "this plugin does not know the request" };
      if (!configured && !["info", "configure", "close"].includes(request)) {
        throw { code: "unavailable", message: "the plugin is not configured yet" };
      }
      const answer = await Promise.race([provider[request](call[request], abort.signal), aborted(abort.signal)]);
      configured ||= request === "configure";
      send({ id: call.id, [request]: answer });
    } catch (e) {
      // What was thrown by mistake is unknown: the provider may have heard of the attempt.
      send({ id: call.id, error: e.code && !(e instanceof Error) ? e : { code: "unknown", message: `the plugin failed: ${e.name}` } });
    } finally {
      clearTimeout(timer);
      running.delete(call.id);
    }
  };
  let waiting = Buffer.alloc(0);
  stream.on("data", (chunk) => {
    waiting = Buffer.concat([waiting, chunk]);
    while (waiting.length >= 5) {
      const length = waiting.readUInt32BE(1);
      if (length > maxMessage) process.exit(1);
      if (waiting.length < 5 + length) return;
      const call = decode("Call", waiting.subarray(5, 5 + length));
      waiting = waiting.subarray(5 + length);
      if (call.cancel) running.get(call.id)?.abort();
      else run(call, Object.keys(call).find((name) => name !== "id" && name !== "timeout_ms") ?? "");
    }
  });
  for (const event of ["end", "close", "error"]) stream.on(event, () => process.exit(0)); // the router is gone
}

const aborted = (signal) => new Promise((_, reject) => signal.addEventListener("abort",
  () => reject({ code: "unknown", message: "the provider did not answer in time" })));

const pem = (der) => `-----BEGIN CERTIFICATE-----\n${der.toString("base64").match(/.{1,64}/g).join("\n")}\n-----END CERTIFICATE-----\n`;

// selfSigned makes a key and a certificate for localhost, valid for a year (RFC 5280, in DER).
function selfSigned() {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
  const der = (tag, ...parts) => {
    const content = Buffer.concat(parts), n = content.length;
    const length = n < 128 ? [n] : n < 256 ? [0x81, n] : [0x82, n >> 8, n & 255];
    return Buffer.concat([Buffer.from([tag, ...length]), content]);
  };
  const oid = (hex) => der(0x06, Buffer.from(hex, "hex"));
  const sequence = (...parts) => der(0x30, ...parts);
  const time = (ms) => der(0x17, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "").slice(2)));
  const name = sequence(der(0x31, sequence(oid("550403"), der(0x0c, Buffer.from("localhost")))));
  const algorithm = sequence(oid("2a8648ce3d040302")); // ecdsa-with-SHA256
  const extension = (id, value) => sequence(oid(id), der(0x04, value));
  const toSign = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, Buffer.from([1])), algorithm, name,
    sequence(time(Date.now() - 3_600_000), time(Date.now() + 365 * 86_400_000)), name,
    publicKey.export({ type: "spki", format: "der" }),
    der(0xa3, sequence(
      extension("551d11", sequence(der(0x82, Buffer.from("localhost")))), // the DNS name
      extension("551d25", sequence(oid("2b06010505070301"))), // for servers
    )),
  );
  const signature = crypto.sign("sha256", toSign, privateKey);
  return { key: privateKey.export({ type: "pkcs8", format: "pem" }), certificate: sequence(toSign, algorithm, der(0x03, Buffer.from([0]), signature)) };
}
