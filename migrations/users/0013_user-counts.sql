UPDATE users SET kyc_status = (SELECT kyc.status FROM kyc WHERE kyc.user_id = users.id) WHERE id IN (SELECT user_id FROM kyc);
--> statement-breakpoint
INSERT INTO user_counts (id, by_facet)
  WITH RECURSIVE facets(facet) AS (SELECT 0 UNION ALL SELECT facet + 1 FROM facets WHERE facet < 47)
  SELECT 1, json_group_array((SELECT count(*) FROM users WHERE users.facet = facets.facet)) FROM facets;
--> statement-breakpoint
CREATE TRIGGER users_counted_insert AFTER INSERT ON users BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || new.facet || ']', (by_facet ->> new.facet) + 1);
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_delete AFTER DELETE ON users BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || old.facet || ']', (by_facet ->> old.facet) - 1);
END;
--> statement-breakpoint
CREATE TRIGGER users_counted_update AFTER UPDATE OF status, kyc_status, email_verified, phone_verified ON users
WHEN old.facet <> new.facet BEGIN
  UPDATE user_counts SET by_facet = json_set(by_facet, '$[' || old.facet || ']', (by_facet ->> old.facet) - 1,
    '$[' || new.facet || ']', (by_facet ->> new.facet) + 1);
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
