/** The tests' own reader of pushes, by the example of RFC 8291, section 5. */
import { expect, test } from "vitest";
import { read, type Keys } from "./receiver";

const bytes = (text: string) => new Uint8Array(Buffer.from(text, "base64url"));

const PRIVATE = "q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94";
const PUBLIC =
  "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4";
const MESSAGE =
  "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz" +
  "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN";

async function keys(): Promise<Keys> {
  const publicKey = bytes(PUBLIC);
  const part = (from: number, to: number) =>
    Buffer.from(publicKey.slice(from, to)).toString("base64url");
  const jwk = { kty: "EC", crv: "P-256", x: part(1, 33), y: part(33, 65), d: PRIVATE };
  const curve = { name: "ECDH", namedCurve: "P-256" };
  const privateKey = await crypto.subtle.importKey("jwk", jwk, curve, false, ["deriveBits"]);
  return { privateKey, publicKey, auth: bytes("BTBZMqHH6r4Tts7J_aSIgg") };
}

test("a message is read by the keys that it is for, and by no others", async () => {
  const own = await keys();
  expect(await read(bytes(MESSAGE), own)).toBe("When I grow up, I want to be a watermelon");
  const others = { ...own, auth: new Uint8Array(16) };
  await expect(read(bytes(MESSAGE), others)).rejects.toThrow();
});
