DROP INDEX `point_transactions_once`;--> statement-breakpoint
ALTER TABLE `point_transactions` ADD `source` text DEFAULT 'users' NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX `point_transactions_once` ON `point_transactions` (`user_id`,`source`,`reason`,`reference`);