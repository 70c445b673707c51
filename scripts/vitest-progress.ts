import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Minimum time between two lines. */
const QUIET_MS = 10_000;

/** A vitest reporter that prints how many files and tests have ended; for runs that report their results at the end. */
export default class ProgressReporter implements Reporter {
  private files = 0;
  private tests = 0;
  private failed = 0;
  private saidAt = Date.now();

  onTestCaseResult(test: TestCase): void {
    this.tests++;
    if (test.result().state === "failed") {
      this.failed++;
      console.log(`  failed: ${test.fullName}`);
    }
    this.say();
  }

  onTestModuleEnd(module: TestModule): void {
    this.files++;
    if (module.state() === "failed") console.log(`  ${module.relativeModuleId} failed`);
    this.say();
  }

  private say(): void {
    if (Date.now() - this.saidAt < QUIET_MS) return;
    this.saidAt = Date.now();
    console.log(
      `  ${this.files} files and ${this.tests} tests have ended, ${this.failed} of them failed (process ${process.pid})`,
    );
  }
}
