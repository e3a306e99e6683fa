"""One file of an S3 server, by AWS's own library: BUCKET list|get|put|remove NAME. What is put is on standard input, what is got on standard output."""

import sys

import boto3

bucket, word, name = sys.argv[1:]
s3 = boto3.client("s3")
if word == "list":
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=name):
        for found in page.get("Contents", []):
            print(found["Key"])
elif word == "get":
    sys.stdout.buffer.write(s3.get_object(Bucket=bucket, Key=name)["Body"].read())
elif word == "put":
    s3.put_object(Bucket=bucket, Key=name, Body=sys.stdin.buffer.read())
elif word == "remove":
    s3.delete_object(Bucket=bucket, Key=name)
