CREATE TABLE `email_budget_days` (
	`day` text PRIMARY KEY NOT NULL,
	`budget` integer NOT NULL,
	`taken` integer NOT NULL,
	`taken_by` text,
	`refused_by_reserve` integer NOT NULL,
	`refused_by_spent` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `otp_challenges` ADD `mailbox` text;--> statement-breakpoint
CREATE INDEX `otp_challenges_network` ON `otp_challenges` (`network`,`created_at`);--> statement-breakpoint
CREATE INDEX `otp_challenges_mailbox` ON `otp_challenges` (`mailbox`,`created_at`) WHERE mailbox is not null;