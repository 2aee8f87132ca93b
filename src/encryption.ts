import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import { UserError } from './user-error.ts';

/** What is encrypted does not open: its key is not there, or is not the one that it was made with. */
export class CannotOpen extends UserError {}

/** A key of AES-256. The object is one that no log prints. */
export interface EncryptionKey {
  /** In the plain text of what it encrypts. */
  id: string;
  key: KeyObject;
}

const cipher = 'aes-256-gcm';
const saltBytes = 12;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * A key of GCM is safe for 2^32 random nonces, which a busy installation uses up in half a year. So
 * each message has a key of its own, made of ours and a salt.
 */
const messageKey = ({ key }: EncryptionKey, salt: Uint8Array): KeyObject =>
  createSecretKey(createHmac('sha256', key).update('distributary\0').update(salt).digest());

/** What is sealed for one purpose opens for no other, nor under another key's name. */
const bound = ({ id }: EncryptionKey, purpose: string): Buffer => Buffer.from(`${purpose}\0${id}`);

/**
 * Encrypts by AES-256-GCM.
 * @returns a salt of 12 bytes, a nonce of 12, the ciphertext, a tag of 16
 */
export const seal = (plain: Uint8Array, key: EncryptionKey, purpose: string): Buffer => {
  const random = randomBytes(saltBytes + nonceBytes);
  const encryption = createCipheriv(
    cipher,
    messageKey(key, random.subarray(0, saltBytes)),
    random.subarray(saltBytes),
  );
  encryption.setAAD(bound(key, purpose));
  return Buffer.concat([
    random,
    encryption.update(plain),
    encryption.final(),
    encryption.getAuthTag(),
  ]);
};

/**
 * Decrypts what `seal` made.
 * @param keyId of the key that it was made with
 * @throws CannotOpen where there is no such key, another was meant, or a byte has changed
 */
export const open = (
  sealed: Uint8Array,
  keyId: string,
  keys: readonly EncryptionKey[],
  purpose: string,
): Buffer => {
  const key = keys.find(({ id }) => id === keyId);
  if (key === undefined) {
    throw new CannotOpen(
      `What Temporal holds is encrypted with the key ${JSON.stringify(keyId)}, which is not among ` +
        'encryption.keys in the configuration. Put it back there, behind the first if that is a newer one.',
    );
  }
  const body = sealed.subarray(saltBytes + nonceBytes, -tagBytes);
  try {
    const decryption = createDecipheriv(
      cipher,
      messageKey(key, sealed.subarray(0, saltBytes)),
      sealed.subarray(saltBytes, saltBytes + nonceBytes),
      { authTagLength: tagBytes },
    );
    decryption.setAAD(bound(key, purpose));
    decryption.setAuthTag(sealed.subarray(-tagBytes));
    return Buffer.concat([decryption.update(body), decryption.final()]);
  } catch {
    throw new CannotOpen(
      `What Temporal holds does not open with the key ${JSON.stringify(keyId)} of encryption.keys: ` +
        'it was encrypted with another key of this id, or is damaged. Give that key back its id.',
    );
  }
};
