UPDATE users SET kyc_status = (SELECT kyc.status FROM kyc WHERE kyc.user_id = users.id) WHERE id IN (SELECT user_id FROM kyc);
--> statement-breakpoint
INSERT INTO user_counts (facet, count) SELECT facet, count(*) FROM users GROUP BY facet;
--> statement-breakpoint
INSERT INTO user_counts (facet, count) SELECT -1, count(*) FROM users;
--> statement-breakpoint
CREATE TRIGGER users_counted_insert AFTER INSERT ON users BEGIN
  INSERT INTO user_counts (facet, count) VALUES (new.facet, 1), (-1, 1) ON CONFLICT (facet) DO UPDATE SET count = count + 1;
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET count = count - 1 WHERE facet IN (old.facet, -1);
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, kyc_status, email_verified, phone_verified ON users
WHEN old.facet <> new.facet BEGIN
  UPDATE user_counts SET count = count - 1 WHERE facet = old.facet;
  INSERT INTO user_counts (facet, count) VALUES (new.facet, 1) ON CONFLICT (facet) DO UPDATE SET count = count + 1;
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
CREATE TRIGGER kyc_status_delete AFTER DELETE ON kyc BEGIN
  UPDATE users SET kyc_status = 'NOT_SUBMITTED' WHERE id = old.user_id;
END;
