import {
  H2_ERROR,
  H2Fault,
  SETTING,
  WINDOW_BYTES_DEFAULT,
  WINDOW_BYTES_MAX,
} from "./h2-protocol.ts";

const SETTING_BYTES = 6;
const FRAME_BYTES_LEAST = 16_384;
const FRAME_BYTES_MOST = 2 ** 24 - 1;

/** What a client asks for; of all settings the window alone changes what is sent here. */
export class ClientSettings {
  #windowBytes = WINDOW_BYTES_DEFAULT;

  /** What the client takes of a stream before it allows for more. */
  get windowBytes(): number {
    return this.#windowBytes;
  }

  /** Takes a SETTINGS payload; returns by how much the windows of all streams change. */
  take(payload: Buffer): number {
    if (payload.length % SETTING_BYTES !== 0) {
      throw new H2Fault(H2_ERROR.frameSize, "a SETTINGS frame that is cut off");
    }
    const before = this.#windowBytes;
    for (let at = 0; at < payload.length; at += SETTING_BYTES) {
      this.#set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
    }
    return this.#windowBytes - before;
  }

  #set(setting: number, value: number): void {
    if (setting === SETTING.initialWindowSize) {
      if (value > WINDOW_BYTES_MAX) {
        throw new H2Fault(H2_ERROR.flowControl, "a setting of too large a window");
      }
      this.#windowBytes = value;
    } else if (setting === SETTING.enablePush && value > 1) {
      throw new H2Fault(H2_ERROR.protocol, "a setting of push that is neither 0 nor 1");
    } else if (
      setting === SETTING.frameSizeMax &&
      (value < FRAME_BYTES_LEAST || value > FRAME_BYTES_MOST)
    ) {
      throw new H2Fault(H2_ERROR.protocol, "a setting of a frame size that is not allowed");
    }
  }
}
