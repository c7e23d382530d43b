// The messages of provider/plugin/proto/v1/provider.proto, and as much of protobuf's binary form as they need.
//
// A field is [number, name, type]; a type is "string", "bytes", "bool", "int", "map" (of text to text) or the name of a
// message; "[]" after it says that the field is repeated. A field that is not sent is not there after decoding.

const messages = {
  Call: [[1, "id", "int"], [2, "timeout_ms", "int"], [3, "cancel", "Empty"], [10, "info", "Empty"], [11, "configure", "ConfigureRequest"],
    [12, "check", "Empty"], [13, "submit", "Attempt"], [14, "lookup", "Query"], [15, "close", "Empty"],
    [20, "parse_notification", "Notification"]],
  Answer: [[1, "id", "int"], [2, "error", "Error"], [10, "info", "Info"], [11, "configure", "Info"], [12, "check", "Empty"],
    [13, "submit", "Outcome"], [14, "lookup", "Outcome"], [15, "close", "Empty"], [20, "parse_notification", "Queries"]],
  Empty: [],
  Error: [[1, "code", "string"], [2, "message", "string"], [3, "field", "string"], [4, "provider_code", "string"],
    [5, "reference", "string"], [6, "config_faults", "ConfigFault[]"]],
  ConfigFault: [[1, "name", "string"], [2, "message", "string"]],
  Info: [[1, "name", "string"], [2, "version", "string"], [3, "capabilities", "Capability[]"], [4, "abilities", "string[]"],
    [5, "config", "ConfigField[]"], [7, "assumptions", "string[]"]],
  Capability: [[1, "operation", "string"], [2, "method", "string"], [3, "currencies", "string[]"], [4, "document_types", "string[]"],
    [5, "amount_min", "string"], [6, "amount_max", "string"], [7, "decimals", "int"], [8, "required", "string[]"],
    [10, "recovery", "Recovery"]],
  Recovery: [[1, "lookup_by_key", "bool"], [2, "resend_same_key", "bool"]],
  ConfigField: [[1, "name", "string"], [2, "type", "string"], [3, "required", "bool"], [4, "secret", "bool"], [5, "default", "string"],
    [7, "doc", "string"]],
  ConfigureRequest: [[1, "config", "map"]],
  Attempt: [[1, "key", "string"], [2, "payment_id", "string"], [3, "number", "int"], [4, "payment", "Payment"],
    [5, "notification_url", "string"], [6, "resend", "bool"]],
  Payment: [[1, "operation", "string"], [2, "method", "string"], [3, "amount", "string"], [4, "currency", "string"],
    [9, "payer", "Party"], [12, "return_url", "string"]],
  Party: [[5, "document_type", "string"], [6, "document_number", "string"]],
  Query: [[1, "key", "string"], [2, "reference", "string"]],
  Outcome: [[1, "status", "string"], [2, "key", "string"], [3, "reference", "string"], [4, "amount", "string"], [5, "currency", "string"],
    [6, "action", "Action"], [7, "code", "string"], [8, "message", "string"]],
  Action: [[1, "type", "string"], [2, "url", "string"]],
  Notification: [[1, "method", "string"], [2, "path", "string"], [4, "body", "bytes"]],
  Queries: [[1, "queries", "Query[]"]],
};

function varint(n) {
  const bytes = [];
  for (n = BigInt(n); n > 127n; n >>= 7n) bytes.push(Number(n & 127n) | 128);
  return Buffer.from([...bytes, Number(n)]);
}

export function encode(type, message) {
  const parts = [];
  for (const [number, name, declared] of messages[type]) {
    const value = message[name];
    if (value === undefined || value === "" || value === false || value === 0) continue;
    const kind = declared.replace("[]", "");
    for (const one of declared.endsWith("[]") ? value : [value]) {
      if (kind === "int" || kind === "bool") {
        parts.push(varint(number << 3), varint(one));
        continue;
      }
      const content = kind === "string" ? Buffer.from(one.toWellFormed()) : encode(kind, one);
      parts.push(varint((number << 3) | 2), varint(content.length), content);
    }
  }
  return Buffer.concat(parts);
}

export function decode(type, bytes) {
  const fields = new Map(messages[type].map(([number, name, declared]) => [number, [name, declared]]));
  const message = {};
  let at = 0;
  const next = () => {
    let n = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (at >= bytes.length || shift > 63n) throw new Error("a number breaks off");
      const b = bytes[at++];
      n |= BigInt(b & 127) << shift;
      if (b < 128) return Number(n);
    }
  };
  while (at < bytes.length) {
    const tag = next();
    let content;
    switch (tag & 7) {
      case 0: content = next(); break;
      case 1: at += 8; break;
      case 2: { const length = next(); content = bytes.subarray(at, at += length); break; }
      case 5: at += 4; break;
      default: throw new Error("a field has an unknown form");
    }
    if (at > bytes.length) throw new Error("a field breaks off");
    const field = fields.get(tag >> 3);
    if (!field) continue; // of a newer router
    const [name, declared] = field, kind = declared.replace("[]", "");
    if (kind === "map") {
      const entry = new Map([[1, ""], [2, ""]]);
      for (let i = 0; i < content.length;) { // both are short texts: key and value
        const number = content[i] >> 3, length = readLength(content, i + 1);
        entry.set(number, content.toString("utf8", length.at, length.at + length.n));
        i = length.at + length.n;
      }
      (message[name] ??= {})[entry.get(1)] = entry.get(2);
      continue;
    }
    const value = kind === "string" ? content.toString("utf8") : kind === "bytes" ? content
      : kind === "int" ? content : kind === "bool" ? content !== 0 : decode(kind, content);
    if (declared.endsWith("[]")) (message[name] ??= []).push(value);
    else message[name] = value;
  }
  return message;
}

function readLength(bytes, at) {
  let n = 0;
  for (let shift = 0; ; shift += 7) {
    const b = bytes[at++];
    n |= (b & 127) << shift;
    if (!(b & 128)) return { n, at };
  }
}
