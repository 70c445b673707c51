CREATE TABLE `identity_changes` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`number` integer NOT NULL,
	`kind` text NOT NULL,
	`old_identifier` text,
	`new_identifier` text,
	`proved_by` text NOT NULL,
	`is_proved_by_old` integer NOT NULL,
	`created_at` integer NOT NULL,
	`outcome` text,
	`settled_by` text,
	`settled_at` integer,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `identity_changes_user` ON `identity_changes` (`user_id`,`number`);--> statement-breakpoint
CREATE INDEX `identity_changes_old` ON `identity_changes` (`old_identifier`,`number`) WHERE old_identifier is not null;--> statement-breakpoint
CREATE TABLE `passkey_uses` (
	`challenge` text PRIMARY KEY NOT NULL,
	`used_for` text NOT NULL,
	`used_by` text NOT NULL,
	`used_at` integer NOT NULL,
	`session_id` text
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `passkeys` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`credential_id` text NOT NULL,
	`public_key` text NOT NULL,
	`counter` integer NOT NULL,
	`aaguid` text NOT NULL,
	`is_backup_eligible` integer NOT NULL,
	`is_synced` integer NOT NULL,
	`transports` text,
	`name` text,
	`created_at` integer NOT NULL,
	`last_used_at` integer,
	`suspected_at` integer,
	`suspected_by` text,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `passkeys_credential` ON `passkeys` (`credential_id`);--> statement-breakpoint
CREATE INDEX `passkeys_user` ON `passkeys` (`user_id`,`created_at`);--> statement-breakpoint
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
	`reminded_version` integer DEFAULT 0 NOT NULL,
	`verified_at` integer,
	`first_approved_by` text,
	`first_approved_at` integer,
	`submitted_at` integer NOT NULL,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `kyc_id` ON `kyc` (`id`);--> statement-breakpoint
CREATE INDEX `kyc_queue` ON `kyc` (`status`,`submitted_at`,`user_id`);--> statement-breakpoint
CREATE INDEX `kyc_document_number` ON `kyc` (`document_number_index`,`submitted_at`);--> statement-breakpoint
CREATE INDEX `kyc_rejected` ON `kyc` (`updated_at`,`user_id`) WHERE status = 'REJECTED';--> statement-breakpoint
CREATE TABLE `kyc_document_views` (
	`document_id` text NOT NULL,
	`viewer_id` text NOT NULL,
	`viewed_at` integer NOT NULL,
	PRIMARY KEY(`document_id`, `viewer_id`),
	FOREIGN KEY (`document_id`) REFERENCES `kyc_documents`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
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
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `kyc_documents_object` ON `kyc_documents` (`object_key`);--> statement-breakpoint
CREATE INDEX `kyc_documents_user` ON `kyc_documents` (`user_id`,`created_at`);--> statement-breakpoint
CREATE INDEX `kyc_documents_sweep` ON `kyc_documents` (`state`,`created_at`) WHERE state <> 'live';--> statement-breakpoint
CREATE TABLE `kyc_uploads` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`counts` integer NOT NULL,
	`created_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `kyc_uploads_user` ON `kyc_uploads` (`user_id`,`created_at`,`counts`);--> statement-breakpoint
CREATE TABLE `analytics_reports` (
	`user_id` text PRIMARY KEY NOT NULL,
	`report` text NOT NULL,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `favorite_stations` (
	`user_id` text NOT NULL,
	`station_id` text NOT NULL,
	`is_favorite` integer NOT NULL,
	`changed_at` integer NOT NULL,
	`event_id` text NOT NULL,
	PRIMARY KEY(`user_id`, `station_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `point_transactions` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text,
	`delta` integer NOT NULL,
	`reason` text NOT NULL,
	`reference` text NOT NULL,
	`created_at` integer NOT NULL,
	`source` text DEFAULT 'users' NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `point_transactions_once` ON `point_transactions` (`user_id`,`source`,`reason`,`reference`);--> statement-breakpoint
CREATE TABLE `points` (
	`user_id` text PRIMARY KEY NOT NULL,
	`current_points` integer NOT NULL,
	`total_points` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `rentals` (
	`user_id` text NOT NULL,
	`rental_id` text NOT NULL,
	`started_at` integer,
	`returned_at` integer,
	`returned_event_id` text,
	`is_on_time` integer,
	`amount_minor` integer,
	PRIMARY KEY(`user_id`, `rental_id`)
) WITHOUT ROWID;
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
) WITHOUT ROWID;
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
	`created_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `wallet_transactions_once` ON `wallet_transactions` (`source`,`transaction_id`,`transaction_type`);--> statement-breakpoint
CREATE INDEX `wallet_transactions_user` ON `wallet_transactions` (`user_id`);--> statement-breakpoint
CREATE TABLE `wallets` (
	`user_id` text PRIMARY KEY NOT NULL,
	`balance_minor` integer NOT NULL,
	`currency` text NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `audit_logs` (
	`id` text NOT NULL,
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
	`created_at` integer NOT NULL,
	PRIMARY KEY(`user_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `audit_logs_staff` ON `audit_logs` (`actor_id`,`id`,`action`) WHERE by_staff = 1;--> statement-breakpoint
CREATE TABLE `daily_counts` (
	`day` text NOT NULL,
	`metric` text NOT NULL,
	`by_hour` text NOT NULL,
	PRIMARY KEY(`day`, `metric`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `dead_letters` (
	`id` text PRIMARY KEY NOT NULL,
	`queue` text NOT NULL,
	`event_id` text,
	`type` text,
	`user_id` text,
	`payload` text,
	`reason` text NOT NULL,
	`trace` text,
	`attempts` integer NOT NULL,
	`created_at` integer NOT NULL,
	`replayed_at` integer,
	`discarded_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `dead_letters_created` ON `dead_letters` (`created_at`,`id`);--> statement-breakpoint
CREATE INDEX `dead_letters_user` ON `dead_letters` (`user_id`,`id`);--> statement-breakpoint
CREATE INDEX `dead_letters_waiting` ON `dead_letters` (`created_at`,`id`) WHERE replayed_at is null and discarded_at is null;--> statement-breakpoint
CREATE INDEX `dead_letters_waiting_type` ON `dead_letters` (`type`,`created_at`,`id`) WHERE replayed_at is null and discarded_at is null;--> statement-breakpoint
CREATE TABLE `deliveries` (
	`event_id` text PRIMARY KEY NOT NULL,
	`claimed_by` text NOT NULL,
	`claimed_until` integer NOT NULL,
	`attempts` integer NOT NULL,
	`delivered_at` integer,
	`undeliverable_at` integer
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `idempotency_keys` (
	`key_hash` text PRIMARY KEY NOT NULL,
	`body_hash` text NOT NULL,
	`result_id` text NOT NULL,
	`result_number` integer,
	`expires_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `job_cursors` (
	`name` text PRIMARY KEY NOT NULL,
	`cursor` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `job_failures` (
	`name` text PRIMARY KEY NOT NULL,
	`failing_since` integer NOT NULL,
	`failed_at` integer NOT NULL,
	`failures` integer NOT NULL,
	`reason` text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
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
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `job_runs_open` ON `job_runs` (`leased_until`) WHERE finished_at is null;--> statement-breakpoint
CREATE TABLE `local_outbox` (
	`id` text PRIMARY KEY NOT NULL,
	`channel` text NOT NULL,
	`recipient` text NOT NULL,
	`text` text NOT NULL,
	`code` text,
	`created_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `local_outbox_recipient` ON `local_outbox` (`recipient`,`id`);--> statement-breakpoint
CREATE TABLE `outbox` (
	`urgency` integer DEFAULT 1 NOT NULL,
	`id` text NOT NULL,
	`type` text NOT NULL,
	`user_id` text,
	`payload` text NOT NULL,
	`queue` text NOT NULL,
	`created_at` integer NOT NULL,
	`leased_until` integer NOT NULL,
	`leased_by` text,
	`attempts` integer NOT NULL,
	PRIMARY KEY(`urgency`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `processed_events` (
	`consumer` text NOT NULL,
	`event_id` text NOT NULL,
	`processed_by` text NOT NULL,
	`processed_at` integer NOT NULL,
	PRIMARY KEY(`consumer`, `event_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `provider_breakers` (
	`provider` text PRIMARY KEY NOT NULL,
	`failures` integer NOT NULL,
	`failed_recipients` text DEFAULT '[]' NOT NULL,
	`probed_by` text,
	`opened_until` integer,
	`updated_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `email_budget_days` (
	`day` text PRIMARY KEY NOT NULL,
	`budget` integer NOT NULL,
	`taken` integer NOT NULL,
	`taken_by` text,
	`refused_by_reserve` integer NOT NULL,
	`refused_by_spent` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `sms_budget_days` (
	`day` text PRIMARY KEY NOT NULL,
	`budget` integer NOT NULL,
	`taken` integer NOT NULL,
	`taken_by` text,
	`refused_by_reserve` integer NOT NULL,
	`refused_by_spent` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `sms_send_limits` (
	`scope` text NOT NULL,
	`key` text NOT NULL,
	`window_ends_at` integer NOT NULL,
	`sends` integer NOT NULL,
	`recent_ends_at` integer NOT NULL,
	`recent_sends` integer NOT NULL,
	PRIMARY KEY(`scope`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `familiar_networks` (
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`last_sign_in_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `former_identities` (
	`identity_hash` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `network_guess_limits` (
	`network` text PRIMARY KEY NOT NULL,
	`window_started_at` integer NOT NULL,
	`guesses` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `otp_challenges` (
	`cid` text PRIMARY KEY NOT NULL,
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`network_rank` integer NOT NULL,
	`network_class` text NOT NULL,
	`mailbox` text,
	`code_hash` text NOT NULL,
	`secret_id` text NOT NULL,
	`sealed_code` text,
	`locale` text,
	`is_for_change` integer,
	`claimed_by` text,
	`claimed_until` integer,
	`send_attempts` integer,
	`delivered_at` integer,
	`undeliverable_at` integer,
	`publish_at` integer,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`attempts_familiar` integer NOT NULL,
	`attempts_other` integer NOT NULL,
	`charged_by` text,
	`consumed_by` text,
	`consumed_at` integer,
	`consumed_network` text,
	`used_by` text,
	`used_at` integer,
	`used_for` text,
	`session_id` text
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `otp_challenges_identifier` ON `otp_challenges` (`identifier`,`cid`);--> statement-breakpoint
CREATE INDEX `otp_challenges_mailbox` ON `otp_challenges` (`mailbox`,`cid`) WHERE mailbox is not null;--> statement-breakpoint
CREATE TABLE `otp_class_guards` (
	`identifier` text NOT NULL,
	`network_class` text NOT NULL,
	`failures` text NOT NULL,
	`streak` integer NOT NULL,
	`locked_until` integer NOT NULL,
	`locked_by` text,
	`last_guess_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network_class`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `otp_class_guards_locked` ON `otp_class_guards` (`locked_until`) WHERE locked_until > 0;--> statement-breakpoint
CREATE INDEX `otp_class_guards_closed` ON `otp_class_guards` (`last_guess_at`) WHERE streak >= 100;--> statement-breakpoint
CREATE TABLE `otp_network_guards` (
	`identifier` text NOT NULL,
	`network` text NOT NULL,
	`failures` text NOT NULL,
	`lock_count` integer NOT NULL,
	`locked_until` integer NOT NULL,
	`locked_by` text,
	`last_guess_at` integer NOT NULL,
	PRIMARY KEY(`identifier`, `network`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `otp_network_guards_locked` ON `otp_network_guards` (`locked_until`) WHERE locked_until > 0;--> statement-breakpoint
CREATE TABLE `sessions` (
	`id` text NOT NULL,
	`user_id` text NOT NULL,
	`created_at` integer NOT NULL,
	`last_used_at` integer NOT NULL,
	`activity_at` integer,
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
	`proved_at` integer,
	`proved_by` text,
	`passkey_at` integer,
	`passkey_id` text,
	PRIMARY KEY(`user_id`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `sessions_live` ON `sessions` (`user_id`,`created_at`) WHERE revoked_at is null;--> statement-breakpoint
CREATE TABLE `social_accounts` (
	`issuer` text NOT NULL,
	`subject` text NOT NULL,
	`provider` text NOT NULL,
	`user_id` text NOT NULL,
	`identity_hash` text NOT NULL,
	`email` text,
	`sealed_refresh_token` text,
	`seal_key_id` text,
	`client_id` text,
	`linked_by` text NOT NULL,
	`created_at` integer NOT NULL,
	`revoked_at` integer,
	`mail_stopped_at` integer,
	`mail_event_at` integer,
	`consent_event_at` integer,
	PRIMARY KEY(`issuer`, `subject`),
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `social_accounts_user` ON `social_accounts` (`user_id`,`provider`);--> statement-breakpoint
CREATE TABLE `social_proofs` (
	`proof_hash` text PRIMARY KEY NOT NULL,
	`sealed_identity` text,
	`flow_hash` text,
	`code_challenge` text,
	`created_at` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`used_by` text,
	`used_at` integer,
	`is_burned` integer NOT NULL,
	`session_id` text
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `social_states` (
	`state_hash` text PRIMARY KEY NOT NULL,
	`expires_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `device_registrations` (
	`user_id` text PRIMARY KEY NOT NULL,
	`window_ends_at` integer NOT NULL,
	`count` integer NOT NULL,
	`counted_by` text NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
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
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `devices_device` ON `devices` (`user_id`,`device_id`);--> statement-breakpoint
CREATE UNIQUE INDEX `devices_fcm_token` ON `devices` (`fcm_token`) WHERE fcm_token is not null;--> statement-breakpoint
CREATE TABLE `notifications` (
	`id` text PRIMARY KEY NOT NULL,
	`user_id` text NOT NULL,
	`notification_type` text NOT NULL,
	`title` text NOT NULL,
	`message` text NOT NULL,
	`data` text,
	`read_at` integer,
	`created_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `notifications_user` ON `notifications` (`user_id`,`id`);--> statement-breakpoint
CREATE TABLE `profiles` (
	`user_id` text PRIMARY KEY NOT NULL,
	`id` text NOT NULL,
	`full_name` text,
	`date_of_birth` text,
	`address` text,
	`avatar_url` text,
	`profile_reminders` integer DEFAULT 0 NOT NULL,
	`kyc_reminders` integer DEFAULT 0 NOT NULL,
	`reminder_held_until` integer,
	`created_at` integer NOT NULL,
	`updated_at` integer NOT NULL,
	FOREIGN KEY (`user_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `referrals` (
	`invitee_id` text PRIMARY KEY NOT NULL,
	`inviter_id` text NOT NULL,
	`status` text NOT NULL,
	`created_at` integer NOT NULL,
	`completed_at` integer,
	FOREIGN KEY (`invitee_id`) REFERENCES `users`(`id`) ON UPDATE no action ON DELETE cascade
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `referrals_inviter` ON `referrals` (`inviter_id`);--> statement-breakpoint
CREATE TABLE `user_counts` (
	`id` integer PRIMARY KEY NOT NULL,
	`by_status_bucket` text NOT NULL,
	`recount` text,
	`recounted_to` text
);
--> statement-breakpoint
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
	`unread_notifications` integer DEFAULT 0 NOT NULL,
	`notifications_read_through` text,
	`passkey_enrolment_until` integer,
	`updated_at` integer NOT NULL,
	`version` integer NOT NULL,
	`kyc_status` text DEFAULT 'NOT_SUBMITTED' NOT NULL,
	`status_bucket` integer GENERATED ALWAYS AS (case status when 'ACTIVE' then 0 when 'INACTIVE' then 16 else 32 end
        + case kyc_status when 'NOT_SUBMITTED' then 0 when 'PENDING' then 4 when 'APPROVED' then 8 else 12 end
        + email_verified * 2 + phone_verified) VIRTUAL,
	`last_login_order` integer GENERATED ALWAYS AS (case when last_login is null then 0 else last_login end) VIRTUAL
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `users_username_key` ON `users` (`username_key`);--> statement-breakpoint
CREATE UNIQUE INDEX `users_email` ON `users` (`email`) WHERE email is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `users_phone_number` ON `users` (`phone_number`) WHERE phone_number is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `users_referral_code` ON `users` (`referral_code`);--> statement-breakpoint
CREATE INDEX `users_staff` ON `users` (`role`,`id`) WHERE role <> 'user';--> statement-breakpoint
CREATE INDEX `users_joined` ON `users` (`date_joined`,`id`);--> statement-breakpoint
CREATE INDEX `users_bucket_joined` ON `users` (`status_bucket`,`date_joined`,`id`);--> statement-breakpoint
CREATE INDEX `users_bucket_login` ON `users` (`status_bucket`,`last_login_order`,`id`);--> statement-breakpoint
CREATE INDEX `users_bucket_username` ON `users` (`status_bucket`,`username_key`);
--> statement-breakpoint
INSERT INTO `user_counts` (`id`, `by_status_bucket`, `recount`, `recounted_to`) VALUES (1, '[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]', null, null);
--> statement-breakpoint
CREATE TRIGGER kyc_status_delete AFTER DELETE ON kyc BEGIN
  UPDATE users SET kyc_status = 'NOT_SUBMITTED' WHERE id = old.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER kyc_status_insert AFTER INSERT ON kyc BEGIN
  UPDATE users SET kyc_status = new.status WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER kyc_status_update AFTER UPDATE OF status ON kyc WHEN old.status <> new.status BEGIN
  UPDATE users SET kyc_status = new.status WHERE id = new.user_id;
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_delete AFTER DELETE ON notifications WHEN old.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications - 1
    WHERE id = old.user_id AND (notifications_read_through IS NULL OR notifications_read_through < old.id);
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_insert AFTER INSERT ON notifications WHEN new.read_at IS NULL BEGIN
  UPDATE users SET unread_notifications = unread_notifications + 1
    WHERE id = new.user_id AND (notifications_read_through IS NULL OR notifications_read_through < new.id);
END;
--> statement-breakpoint
CREATE TRIGGER notifications_unread_update AFTER UPDATE OF read_at ON notifications
WHEN (old.read_at IS NULL) <> (new.read_at IS NULL) BEGIN
  UPDATE users SET unread_notifications = unread_notifications + CASE WHEN new.read_at IS NULL THEN 1 ELSE -1 END
    WHERE id = new.user_id AND (notifications_read_through IS NULL OR notifications_read_through < new.id);
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || old.status_bucket || ']', (by_status_bucket ->> old.status_bucket) - 1),
    recount = CASE WHEN recounted_to >= old.id
      THEN json_set(recount, '$[' || old.status_bucket || ']', (recount ->> old.status_bucket) - 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_insert AFTER INSERT ON users BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || new.status_bucket || ']', (by_status_bucket ->> new.status_bucket) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || new.status_bucket || ']', (recount ->> new.status_bucket) + 1) ELSE recount END;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, kyc_status, email_verified, phone_verified ON users
WHEN old.status_bucket <> new.status_bucket BEGIN
  UPDATE user_counts SET by_status_bucket = json_set(by_status_bucket, '$[' || old.status_bucket || ']', (by_status_bucket ->> old.status_bucket) - 1,
      '$[' || new.status_bucket || ']', (by_status_bucket ->> new.status_bucket) + 1),
    recount = CASE WHEN recounted_to >= new.id
      THEN json_set(recount, '$[' || old.status_bucket || ']', (recount ->> old.status_bucket) - 1,
        '$[' || new.status_bucket || ']', (recount ->> new.status_bucket) + 1) ELSE recount END;
END;
