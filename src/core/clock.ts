/** Port for time. `up` gives engine time (wall time times the scale), `simulate` virtual time. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  nowMs(): number;
}
