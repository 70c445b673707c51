CREATE TABLE `kyc` (
	`user_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`document_type` text NOT NULL,
	`document_number_sealed` text NOT NULL,
	`document_number_key_id` text NOT NULL,
	`document_number_index` text NOT NULL,
	`front_document_id` text NOT NULL,
	`back_document_id` text,
	`status` text NOT NULL,
	`version` integer NOT NULL,
	`changed_by` text NOT NULL,
	`rejection_reason` text,
	`verified_at` integer,
	`submitted_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `kyc_id` ON `kyc` (`id`);--> statement-breakpoint
CREATE INDEX `kyc_queue` ON `kyc` (`status`,`submitted_at`,`user_id`);--> statement-breakpoint
CREATE INDEX `kyc_document_number` ON `kyc` (`document_number_index`);--> statement-breakpoint
CREATE TABLE `kyc_document_views` (
	`document_id` text NOT NULL,
	`viewer_id` text NOT NULL,
	`viewed_at` integer NOT NULL,
	PRIMARY KEY(`document_id`, `viewer_id`),
	FOREIGN KEY (`document_id`) REFERENCES `kyc_documents`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `kyc_documents` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`side` text NOT NULL,
	`object_key` text NOT NULL,
	`content_type` text NOT NULL,
	`size_bytes` integer NOT NULL,
	`state` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `kyc_documents_object` ON `kyc_documents` (`object_key`);--> statement-breakpoint
CREATE INDEX `kyc_documents_user` ON `kyc_documents` (`user_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `kyc_documents_sweep` ON `kyc_documents` (`created_at`) WHERE state <> 'live';--> statement-breakpoint
CREATE TABLE `analytics_reports` (
	`user_id` text PRIMARY KEY NOT NULL,
	`report` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `favorite_stations` (
	`user_id` text NOT NULL,
	`station_id` text NOT NULL,
	`is_favorite` integer NOT NULL,
	`changed_at` integer NOT NULL,
	`event_id` text NOT NULL,
	PRIMARY KEY(`user_id`, `station_id`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `rentals` (
	`user_id` text NOT NULL,
	`rental_id` text NOT NULL,
	`started_at` integer,
	`returned_at` integer,
	`is_on_time` integer,
	`amount_minor` integer,
	PRIMARY KEY(`user_id`, `rental_id`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `rentals_open` ON `rentals` (`user_id`) WHERE started_at is not null and returned_at is null;--> statement-breakpoint
CREATE TABLE `user_statistics` (
	`user_id` text PRIMARY KEY NOT NULL,
	`total_rentals` integer NOT NULL,
	`total_spent_minor` integer NOT NULL,
	`total_referrals` integer NOT NULL,
	`timely_returns` integer NOT NULL,
	`late_returns` integer NOT NULL,
	`favorite_stations_count` integer NOT NULL,
	`last_rental_at` integer,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `wallet_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text,
	`source` text NOT NULL,
	`transaction_id` text NOT NULL,
	`transaction_type` text NOT NULL,
	`amount_minor` integer NOT NULL,
	`wallet_delta_minor` integer NOT NULL,
	`currency` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
CREATE UNIQUE INDEX `wallet_transactions_once` ON `wallet_transactions` (`source`,`transaction_id`,`transaction_type`);--> statement-breakpoint
CREATE INDEX `wallet_transactions_user` ON `wallet_transactions` (`user_id`);--> statement-breakpoint
CREATE TABLE `processed_events` (
	`consumer` text NOT NULL,
	`event_id` text NOT NULL,
	`processed_by` text NOT NULL,
	`processed_at` integer NOT NULL,
	PRIMARY KEY(`consumer`, `event_id`)
);
--> statement-breakpoint
CREATE INDEX `processed_events_time` ON `processed_events` (`processed_at`);--> statement-breakpoint
CREATE TABLE `devices` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`device_id` text NOT NULL,
	`session_id` text NOT NULL,
	`fcm_token` text,
	`device_type` text NOT NULL,
	`device_name` text,
	`app_version` text,
	`os_version` text,
	`is_active` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_device` ON `devices` (`user_id`,`device_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `devices_fcm_token` ON `devices` (`fcm_token`);--> statement-breakpoint
CREATE TABLE `notifications` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`notification_type` text NOT NULL,
	`title` text NOT NULL,
	`message` text NOT NULL,
	`data` text,
	`read_at` integer,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `notifications_user` ON `notifications` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `notifications_unread` ON `notifications` (`user_id`) WHERE read_at is null;--> statement-breakpoint
PRAGMA foreign_keys=OFF;--> statement-breakpoint
CREATE TABLE `__new_point_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text,
	`delta` integer NOT NULL,
	`reason` text NOT NULL,
	`reference` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE set null
);
--> statement-breakpoint
INSERT INTO `__new_point_transactions`("id", "user_id", "delta", "reason", "reference", "created_at") SELECT "id", "user_id", "delta", "reason", "reference", "created_at" FROM `point_transactions`;--> statement-breakpoint
DROP TABLE `point_transactions`;--> statement-breakpoint
ALTER TABLE `__new_point_transactions` RENAME TO `point_transactions`;--> statement-breakpoint
PRAGMA foreign_keys=ON;--> statement-breakpoint
CREATE UNIQUE INDEX `point_transactions_once` ON `point_transactions` (`user_id`,`reason`,`reference`);--> statement-breakpoint
ALTER TABLE `sessions` ADD `activity_at` integer;--> statement-breakpoint
ALTER TABLE `profiles` ADD `profile_reminders` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE `profiles` ADD `kyc_reminders` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX `dead_letters_user` ON `dead_letters` (`user_id`);--> statement-breakpoint
CREATE INDEX `users_joined` ON `users` (`date_joined`,`id`);--> statement-breakpoint
CREATE INDEX `users_dormant` ON `users` (case when last_login is null then date_joined else last_login end) WHERE status = 'ACTIVE';