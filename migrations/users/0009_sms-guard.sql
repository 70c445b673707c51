CREATE TABLE `sms_budget_days` (
	`day` text PRIMARY KEY NOT NULL,
	`budget` integer NOT NULL,
	`taken` integer NOT NULL,
	`taken_by` text,
	`refused_by_reserve` integer NOT NULL,
	`refused_by_spent` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `sms_send_limits` (
	`scope` text NOT NULL,
	`key` text NOT NULL,
	`window_ends_at` integer NOT NULL,
	`sends` integer NOT NULL,
	PRIMARY KEY(`scope`, `key`)
);
--> statement-breakpoint
CREATE INDEX `sms_send_limits_window` ON `sms_send_limits` (`window_ends_at`);