CREATE TABLE `former_identities` (
	`identity_hash` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `__new_favorite_stations` (
	`user_id` text NOT NULL,
	`station_id` text NOT NULL,
	`is_favorite` integer NOT NULL,
	`changed_at` integer NOT NULL,
	`event_id` text NOT NULL,
	PRIMARY KEY(`user_id`, `station_id`)
);
--> statement-breakpoint
INSERT INTO `__new_favorite_stations`("user_id", "station_id", "is_favorite", "changed_at", "event_id") SELECT "user_id", "station_id", "is_favorite", "changed_at", "event_id" FROM `favorite_stations`;--> statement-breakpoint
DROP TABLE `favorite_stations`;--> statement-breakpoint
ALTER TABLE `__new_favorite_stations` RENAME TO `favorite_stations`;--> statement-breakpoint
CREATE TABLE `__new_point_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text,
	`delta` integer NOT NULL,
	`reason` text NOT NULL,
	`reference` text NOT NULL,
	`created_at` integer NOT NULL,
	`source` text DEFAULT 'users' NOT NULL
);
--> statement-breakpoint
INSERT INTO `__new_point_transactions`("id", "user_id", "delta", "reason", "reference", "created_at", "source") SELECT "id", "user_id", "delta", "reason", "reference", "created_at", "source" FROM `point_transactions`;--> statement-breakpoint
DROP TABLE `point_transactions`;--> statement-breakpoint
ALTER TABLE `__new_point_transactions` RENAME TO `point_transactions`;--> statement-breakpoint
CREATE UNIQUE INDEX `point_transactions_once` ON `point_transactions` (`user_id`,`source`,`reason`,`reference`);--> statement-breakpoint
CREATE TABLE `__new_rentals` (
	`user_id` text NOT NULL,
	`rental_id` text NOT NULL,
	`started_at` integer,
	`returned_at` integer,
	`is_on_time` integer,
	`amount_minor` integer,
	`returned_event_id` text,
	PRIMARY KEY(`user_id`, `rental_id`)
);
--> statement-breakpoint
INSERT INTO `__new_rentals`("user_id", "rental_id", "started_at", "returned_at", "returned_event_id", "is_on_time", "amount_minor") SELECT "user_id", "rental_id", "started_at", "returned_at", "returned_event_id", "is_on_time", "amount_minor" FROM `rentals`;--> statement-breakpoint
DROP TABLE `rentals`;--> statement-breakpoint
ALTER TABLE `__new_rentals` RENAME TO `rentals`;--> statement-breakpoint
CREATE INDEX `rentals_open` ON `rentals` (`user_id`) WHERE started_at is not null and returned_at is null;--> statement-breakpoint
CREATE TABLE `__new_wallet_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text,
	`source` text NOT NULL,
	`transaction_id` text NOT NULL,
	`transaction_type` text NOT NULL,
	`amount_minor` integer NOT NULL,
	`wallet_delta_minor` integer NOT NULL,
	`currency` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
INSERT INTO `__new_wallet_transactions`("id", "user_id", "source", "transaction_id", "transaction_type", "amount_minor", "wallet_delta_minor", "currency", "occurred_at", "created_at") SELECT "id", "user_id", "source", "transaction_id", "transaction_type", "amount_minor", "wallet_delta_minor", "currency", "occurred_at", "created_at" FROM `wallet_transactions`;--> statement-breakpoint
DROP TABLE `wallet_transactions`;--> statement-breakpoint
ALTER TABLE `__new_wallet_transactions` RENAME TO `wallet_transactions`;--> statement-breakpoint
CREATE UNIQUE INDEX `wallet_transactions_once` ON `wallet_transactions` (`source`,`transaction_id`,`transaction_type`);--> statement-breakpoint
CREATE INDEX `wallet_transactions_user` ON `wallet_transactions` (`user_id`);--> statement-breakpoint
CREATE TABLE `__new_sessions` (
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
	`activity_at` integer
);
--> statement-breakpoint
INSERT INTO `__new_sessions`("id", "user_id", "created_at", "last_used_at", "activity_at", "counter", "refresh_key_id", "rotated_at", "rotated_by", "replays", "idle_ttl_ms", "idle_expires_at", "absolute_expires_at", "revoked_at", "revoked_reason", "revoked_by", "ip", "user_agent", "device_name", "method") SELECT "id", "user_id", "created_at", "last_used_at", "activity_at", "counter", "refresh_key_id", "rotated_at", "rotated_by", "replays", "idle_ttl_ms", "idle_expires_at", "absolute_expires_at", "revoked_at", "revoked_reason", "revoked_by", "ip", "user_agent", "device_name", "method" FROM `sessions`;--> statement-breakpoint
DROP TABLE `sessions`;--> statement-breakpoint
ALTER TABLE `__new_sessions` RENAME TO `sessions`;--> statement-breakpoint
CREATE INDEX `sessions_user` ON `sessions` (`user_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `sessions_live` ON `sessions` (`user_id`,`created_at`) WHERE revoked_at is null;--> statement-breakpoint
CREATE INDEX `sessions_ended` ON `sessions` (`revoked_by`) WHERE revoked_by is not null;--> statement-breakpoint
CREATE INDEX `sessions_expiry` ON `sessions` (`absolute_expires_at`) WHERE revoked_at is null;--> statement-breakpoint
CREATE INDEX `sessions_revoked` ON `sessions` (`revoked_at`) WHERE revoked_at is not null;--> statement-breakpoint
CREATE TABLE `__new_notifications` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`notification_type` text NOT NULL,
	`title` text NOT NULL,
	`message` text NOT NULL,
	`data` text,
	`read_at` integer,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
INSERT INTO `__new_notifications`("id", "user_id", "notification_type", "title", "message", "data", "read_at", "created_at") SELECT "id", "user_id", "notification_type", "title", "message", "data", "read_at", "created_at" FROM `notifications`;--> statement-breakpoint
DROP TABLE `notifications`;--> statement-breakpoint
ALTER TABLE `__new_notifications` RENAME TO `notifications`;--> statement-breakpoint
CREATE INDEX `notifications_user` ON `notifications` (`user_id`,`id`);--> statement-breakpoint
CREATE TABLE `__new_referrals` (
	`invitee_id` text PRIMARY KEY NOT NULL,
	`inviter_id` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`completed_at` integer,
	FOREIGN KEY (`invitee_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
INSERT INTO `__new_referrals`("invitee_id", "inviter_id", "status", "created_at", "completed_at") SELECT "invitee_id", "inviter_id", "status", "created_at", "completed_at" FROM `referrals`;--> statement-breakpoint
DROP TABLE `referrals`;--> statement-breakpoint
ALTER TABLE `__new_referrals` RENAME TO `referrals`;--> statement-breakpoint
CREATE INDEX `referrals_inviter` ON `referrals` (`inviter_id`);--> statement-breakpoint
DROP INDEX `dead_letters_user`;--> statement-breakpoint
CREATE INDEX `dead_letters_user` ON `dead_letters` (`user_id`,`id`);
--> statement-breakpoint
CREATE TRIGGER notifications_unread_delete AFTER DELETE ON notifications WHEN old.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications - 1 WHERE id = old.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_insert AFTER INSERT ON notifications WHEN new.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications + 1 WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_update AFTER UPDATE OF read_at ON notifications
WHEN (old.read_at IS NULL) <> (new.read_at IS NULL) BEGIN
  UPDATE users SET unread_notifications = unread_notifications + CASE WHEN new.read_at IS NULL THEN 1 ELSE -1 END
    WHERE id = new.user_id;
END;
