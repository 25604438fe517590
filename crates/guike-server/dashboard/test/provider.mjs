// An identity provider for the browser's test: OpenID Connect with one person, one client and one key, on a free port of this
// machine. Its page has one button, as the page of a real one has a form.
import { createHash, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { createServer } from "node:http";

const encoded = (data) => Buffer.from(typeof data === "string" ? data : JSON.stringify(data)).toString("base64url");

/** The provider; `groups` are those of whoever presses the button next. */
export async function provider(client) {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const codes = new Map();
  const it = { groups: ["shop-heads"], issuer: "", end: () => server.close() };
  const json = (answer, status, value) => answer.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
  const server = createServer(async (request, answer) => {
    const url = new URL(request.url, it.issuer);
    let body = "";
    for await (const piece of request) body += piece;
    if (url.pathname === "/.well-known/openid-configuration") {
      const at = (path) => it.issuer + path;
      return json(answer, 200, { issuer: it.issuer, authorization_endpoint: at("/authorize"), token_endpoint: at("/token"), jwks_uri: at("/jwks"), end_session_endpoint: at("/end") });
    }
    if (url.pathname === "/jwks") return json(answer, 200, { keys: [{ ...publicKey.export({ format: "jwk" }), kid: "one" }] });
    if (url.pathname === "/authorize") {
      const page = `<!DOCTYPE html><title>Provider</title><form method="post" action="/press?${url.searchParams}"><button>Mei</button></form>`;
      return answer.writeHead(200, { "content-type": "text/html" }).end(page.replaceAll("&", "&amp;"));
    }
    if (url.pathname === "/press") {
      const code = randomBytes(16).toString("hex");
      codes.set(code, url.searchParams);
      const back = new URL(url.searchParams.get("redirect_uri"));
      back.searchParams.set("code", code);
      back.searchParams.set("state", url.searchParams.get("state"));
      return answer.writeHead(302, { location: back.href }).end();
    }
    if (url.pathname === "/token") {
      const form = new URLSearchParams(body);
      const asked = codes.get(form.get("code"));
      codes.delete(form.get("code"));
      const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
      if (!asked || asked.get("code_challenge") !== challenge) return json(answer, 400, { error: "invalid_grant" });
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: it.issuer, aud: client, sub: "mei", nonce: asked.get("nonce"), iat: now, exp: now + 60, groups: it.groups };
      const text = `${encoded({ alg: "EdDSA", kid: "one" })}.${encoded(claims)}`;
      return json(answer, 200, { token_type: "Bearer", access_token: "a", id_token: `${text}.${sign(null, Buffer.from(text), privateKey).toString("base64url")}` });
    }
    return answer.writeHead(200, { "content-type": "text/html" }).end("<!DOCTYPE html><title>Provider</title><p>You are logged out.");
  });
  await new Promise((ready) => server.listen(0, "127.0.0.1", ready));
  it.issuer = `http://127.0.0.1:${server.address().port}`;
  return it;
}
