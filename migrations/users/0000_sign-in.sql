CREATE TABLE `audit_logs` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`action` text NOT NULL,
	`entity_type` text NOT NULL,
	`entity_id` text NOT NULL,
	`old_values` text,
	`new_values` text,
	`actor_id` text,
	`by_staff` integer NOT NULL,
	`ip` text,
	`user_agent` text,
	`session_id` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_logs_user` ON `audit_logs` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `audit_logs_created` ON `audit_logs` (`created_at`);--> statement-breakpoint
CREATE TABLE `deliveries` (
	`event_id` text PRIMARY KEY NOT NULL,
	`claimed_by` text NOT NULL,
	`claimed_until` integer NOT NULL,
	`attempts` integer NOT NULL,
	`delivered_at` integer
);
--> statement-breakpoint
CREATE TABLE `familiar_networks` (
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`last_sign_in_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network`)
);
--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`body_hash` text NOT NULL,
	`result_id` text NOT NULL,
	`result_number` integer,
	`expires_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `idempotency_keys_expiry` ON `idempotency_keys` (`expires_at`);--> statement-breakpoint
CREATE TABLE `kyc` (
	`user_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`status` text NOT NULL,
	`rejection_reason` text,
	`verified_at` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `local_outbox` (
	`id` text PRIMARY KEY NOT NULL,
	`channel` text NOT NULL,
	`recipient` text NOT NULL,
	`text` text NOT NULL,
	`code` text,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE INDEX `local_outbox_recipient` ON `local_outbox` (`recipient`,`id`);--> statement-breakpoint
CREATE TABLE `network_guess_limits` (
	`network` text PRIMARY KEY NOT NULL,
	`window_started_at` integer NOT NULL,
	`guesses` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `otp_challenges` (
	`cid` text PRIMARY KEY NOT NULL,
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`network_class` text NOT NULL,
	`code_hash` text NOT NULL,
	`secret_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`tries_familiar` integer NOT NULL,
	`tries_other` integer NOT NULL,
	`charged_by` text,
	`consumed_by` text,
	`consumed_at` integer
);
--> statement-breakpoint
CREATE INDEX `otp_challenges_identifier` ON `otp_challenges` (`identifier`,`created_at`);--> statement-breakpoint
CREATE INDEX `otp_challenges_created` ON `otp_challenges` (`created_at`);--> statement-breakpoint
CREATE TABLE `otp_class_guards` (
	`identifier` text NOT NULL,
	`network_class` text NOT NULL,
	`failures` text NOT NULL,
	`streak` integer NOT NULL,
	`locked_until` integer NOT NULL,
	`locked_by` text,
	`last_guess_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network_class`)
);
--> statement-breakpoint
CREATE TABLE `otp_network_guards` (
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`failures` text NOT NULL,
	`lock_count` integer NOT NULL,
	`locked_until` integer NOT NULL,
	`locked_by` text,
	`last_guess_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network`)
);
--> statement-breakpoint
CREATE TABLE `outbox` (
	`id` text PRIMARY KEY NOT NULL,
	`type` text NOT NULL,
	`user_id` text,
	`payload` text,
	`queue` text,
	`created_at` integer NOT NULL,
	`erase_at` integer,
	`leased_until` integer NOT NULL,
	`leased_by` text,
	`attempts` integer NOT NULL,
	`sent_at` integer
);
--> statement-breakpoint
CREATE INDEX `outbox_unsent` ON `outbox` (`leased_until`) WHERE sent_at is null and queue is not null;--> statement-breakpoint
CREATE INDEX `outbox_erasable` ON `outbox` (`erase_at`) WHERE erase_at is not null and payload is not null;--> statement-breakpoint
CREATE INDEX `outbox_user` ON `outbox` (`user_id`);--> statement-breakpoint
CREATE TABLE `point_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`delta` integer NOT NULL,
	`reason` text NOT NULL,
	`reference` text NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE UNIQUE INDEX `point_transactions_once` ON `point_transactions` (`user_id`,`reason`,`reference`);--> statement-breakpoint
CREATE TABLE `points` (
	`user_id` text PRIMARY KEY NOT NULL,
	`current_points` integer NOT NULL,
	`total_points` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `profiles` (
	`user_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`full_name` text,
	`date_of_birth` text,
	`address` text,
	`avatar_url` text,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `referrals` (
	`invitee_id` text PRIMARY KEY NOT NULL,
	`inviter_id` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`completed_at` integer,
	FOREIGN KEY (`invitee_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`inviter_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `referrals_inviter` ON `referrals` (`inviter_id`);--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`counter` integer NOT NULL,
	`refresh_key_id` text NOT NULL,
	`rotated_at` integer NOT NULL,
	`rotated_by` text NOT NULL,
	`replays` integer NOT NULL,
	`idle_ttl_ms` integer NOT NULL,
	`idle_expires_at` integer NOT NULL,
	`absolute_expires_at` integer NOT NULL,
	`revoked_at` integer,
	`revoked_reason` text,
	`revoked_by` text,
	`ip` text NOT NULL,
	`user_agent` text,
	`device_name` text,
	`method` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`,`created_at`);--> statement-breakpoint
CREATE TABLE `users` (
	`id` text PRIMARY KEY NOT NULL,
	`username` text NOT NULL,
	`username_key` text NOT NULL,
	`email` text,
	`phone_number` text,
	`email_verified` integer NOT NULL,
	`phone_verified` integer NOT NULL,
	`profile_picture` text,
	`referral_code` text NOT NULL,
	`status` text NOT NULL,
	`status_reason` text,
	`role` text NOT NULL,
	`social_provider` text NOT NULL,
	`social_profile_data` text,
	`locale` text NOT NULL,
	`date_joined` integer NOT NULL,
	`last_login` integer,
	`last_activity_at` integer,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `users_username_key` ON `users` (`username_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_phone_number` ON `users` (`phone_number`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_referral_code` ON `users` (`referral_code`);--> statement-breakpoint
CREATE TABLE `verification_tokens` (
	`id` text PRIMARY KEY NOT NULL,
	`token_hash` text NOT NULL,
	`secret_id` text NOT NULL,
	`identifier` text NOT NULL,
	`challenge_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_by` text,
	`used_at` integer,
	`used_for` text,
	`session_id` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `verification_tokens_hash` ON `verification_tokens` (`token_hash`);--> statement-breakpoint
CREATE INDEX `verification_tokens_expiry` ON `verification_tokens` (`expires_at`);--> statement-breakpoint
CREATE TABLE `wallets` (
	`user_id` text PRIMARY KEY NOT NULL,
	`balance_minor` integer NOT NULL,
	`currency` text NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
