import type { Reporter, TestModule } from "vitest/node";

/** Least time between two lines. */
const QUIET_MS = 10_000;

/** A vitest reporter that prints how many test files have ended; for runs whose results are reported at the end. */
export default class ProgressReporter implements Reporter {
  private ended = 0;
  private failed = 0;
  private saidAt = Date.now();

  onTestModuleEnd(module: TestModule): void {
    this.ended++;
    if (module.state() === "failed") {
      this.failed++;
      console.log(`  ${module.relativeModuleId} failed`);
    }
    if (Date.now() - this.saidAt < QUIET_MS) return;
    this.saidAt = Date.now();
    console.log(`  ${this.ended} files have ended, ${this.failed} of them failed (process ${process.pid})`);
  }
}
