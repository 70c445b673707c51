CREATE TABLE `dead_letters` (
	`id` text PRIMARY KEY NOT NULL,
	`queue` text NOT NULL,
	`event_id` text,
	`type` text,
	`user_id` text,
	`payload` text,
	`reason` text NOT NULL,
	`attempts` integer NOT NULL,
	`created_at` integer NOT NULL,
	`replayed_at` integer
);
--> statement-breakpoint
CREATE INDEX `dead_letters_created` ON `dead_letters` (`created_at`);--> statement-breakpoint
CREATE TABLE `job_runs` (
	`name` text NOT NULL,
	`period_started_at` integer NOT NULL,
	`cursor` text,
	`chunks` integer NOT NULL,
	`processed` integer NOT NULL,
	`leased_until` integer NOT NULL,
	`leased_by` text,
	`finished_at` integer,
	PRIMARY KEY(`name`, `period_started_at`)
);
--> statement-breakpoint
CREATE INDEX `job_runs_open` ON `job_runs` (`leased_until`) WHERE finished_at is null;--> statement-breakpoint
CREATE INDEX `outbox_sent` ON `outbox` (`sent_at`) WHERE sent_at is not null;--> statement-breakpoint
CREATE INDEX `familiar_networks_sign_in` ON `familiar_networks` (`last_sign_in_at`);--> statement-breakpoint
CREATE INDEX `network_guess_limits_window` ON `network_guess_limits` (`window_started_at`);--> statement-breakpoint
CREATE INDEX `otp_class_guards_guess` ON `otp_class_guards` (`last_guess_at`);--> statement-breakpoint
CREATE INDEX `otp_network_guards_guess` ON `otp_network_guards` (`last_guess_at`);--> statement-breakpoint
CREATE INDEX `sessions_expiry` ON `sessions` (`absolute_expires_at`);--> statement-breakpoint
CREATE INDEX `sessions_revoked` ON `sessions` (`revoked_at`) WHERE revoked_at is not null;